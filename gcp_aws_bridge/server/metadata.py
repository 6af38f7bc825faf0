"""Google's metadata server for a machine outside of Google Cloud.

    GET /computeMetadata/v1/instance/service-accounts/default/token       an access token
    GET /computeMetadata/v1/instance/service-accounts/default/identity    an ID token

Sources of paths and formats: Compute Engine, "Predefined metadata keys", "Verify the identity of
instances", and the requests of google-auth, gcloud and the SDKs for Go, Java and JavaScript. Like
Google's server, it has no authentication: every client that can connect gets the tokens. It is for
loopback only.

Invariants: no token without the header `Metadata-Flavor: Google`, which browsers do not send; none
for a host name that DNS could map to this machine, such as `metadata.google.internal`; none for
forwarded requests; each token comes from a cache, with its remaining lifetime.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge.exceptions import BridgeError
from gcp_aws_bridge.server.asgi import Answer, Request
from gcp_aws_bridge.server.endpoint import status_of

_ROOT = "computeMetadata/v1"
_TEXT = "application/text"
_FLAVOR = ((b"metadata-flavor", b"Google"),)  # distinguishes it from a captive portal
# Names of keys in JSON ("View and query VM metadata": recursive=true).
_IN_JSON = {
    "service-accounts": "serviceAccounts",
    "project-id": "projectId",
    "numeric-project-id": "numericProjectId",
    "universe-domain": "universeDomain",
}


class _Bearer(Protocol):
    @property
    def token(self) -> str: ...

    @property
    def expiration(self) -> datetime: ...


class Account(NamedTuple):
    """The account that SDKs find, and the caches of its tokens.

    Attributes:
        email: E-mail address; another name for identities without one.
        scopes: Default scopes of access tokens.
        project_id: Id of the project.
        project_number: Number of the project.
        universe_domain: Universe domain.
        access: Returns the cache of access tokens for scopes.
        id_token: Returns the cache of ID tokens for an audience. None: there are no ID tokens.
    """

    email: str
    scopes: tuple[str, ...]
    project_id: str
    project_number: str
    universe_domain: str
    access: Callable[[tuple[str, ...]], CredentialCache[Any]]
    id_token: Callable[[str], CredentialCache[Any]] | None


def metadata(account: Account, world: World = REAL) -> Callable[[Request], Awaitable[Answer]]:
    """Return the handler that serves *account*, by its e-mail address and as `default`."""
    tree = _tree(account)

    async def handle(request: Request) -> Answer:
        try:
            answer = await _answer(account, tree, request, world)
        except BridgeError as error:
            answer = _text(str(error), status_of(error))
        return answer.__replace__(headers=_FLAVOR)

    return handle


def _tree(account: Account) -> Mapping[str, Any]:
    served = {
        "aliases": ["default"],
        "email": account.email,
        "scopes": [*account.scopes],
        "identity": _identity,
        "token": _token,
    }
    project = {"project-id": account.project_id, "numeric-project-id": int(account.project_number)}
    return {
        "instance": {"service-accounts": {"default": served, account.email: served}},
        "project": project,
        "universe": {"universe-domain": account.universe_domain},
    }


async def _answer(
    account: Account, tree: Mapping[str, Any], request: Request, world: World
) -> Answer:
    if b"x-forwarded-for" in request.headers:
        return _text("Forwarded requests are not answered.", 403)
    if request.path == "/":  # a ping, which some SDKs send without the header
        return _text("computeMetadata/\n")
    if request.headers.get(b"metadata-flavor", b"").lower() != b"google":
        return _text("Missing Metadata-Flavor:Google header.", 403)
    found = _found(tree, request.path)
    query = parse_qs(request.query.decode("latin-1"), keep_blank_values=True)
    if any(len(values) > 1 for values in query.values()):
        return _text("A parameter is repeated.", 400)
    parameters = {name: values[0] for name, values in query.items()}
    if callable(found):
        answer: Answer = await found(account, parameters, world)
        return answer
    if found is None:
        return _text(f"There is no such key: see /{_ROOT}/?recursive=true", 404)
    if parameters.get("recursive", "").lower() == "true":
        return Answer(200, json.dumps(_as_json(found)).encode())
    if isinstance(found, Mapping):
        return _text("".join(f"{name}{_slash(value)}\n" for name, value in found.items()))
    return _text("".join(f"{each}\n" for each in found) if isinstance(found, list) else f"{found}")


def _found(tree: Mapping[str, Any], path: str) -> Any:
    here: Any = {"computeMetadata": {"v1": tree}}
    for name in path.removeprefix("/").removesuffix("/").split("/"):
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _slash(value: object) -> str:
    return "/" if isinstance(value, Mapping) else ""


def _as_json(value: Any) -> Any:
    """Return *value* for `recursive=true`, without tokens."""
    if not isinstance(value, Mapping):
        return value
    return {
        _IN_JSON.get(name, name): _as_json(inner)
        for name, inner in value.items()
        if not callable(inner)
    }


async def _token(account: Account, parameters: Mapping[str, str], world: World) -> Answer:
    # Compute Engine ignores `scopes`; GKE and Cloud Run support it, and SDKs send it.
    scopes = parameters.get("scopes", "").replace(",", " ").split()
    cache = account.access(tuple(sorted({*scopes})) or account.scopes)
    found: _Bearer = await cache.get_async()
    # The cache detects clocks that were set back.
    left_s = min((found.expiration - world.clock()).total_seconds(), cache.remaining_s())
    body = {"access_token": found.token, "expires_in": int(left_s), "token_type": "Bearer"}
    return Answer(200, json.dumps(body).encode())


async def _identity(account: Account, parameters: Mapping[str, str], _: World) -> Answer:
    if account.id_token is None:
        return _text("This identity is not a service account, and has no ID tokens.", 404)
    audience = parameters.get("audience")
    if not audience:
        return _text("non-empty audience parameter required", 400)
    found: _Bearer = await account.id_token(audience).get_async()
    return _text(found.token)


def _text(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), _TEXT)
