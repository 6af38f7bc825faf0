"""The answers of the container-credentials protocol."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.persistence import aws_json
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, TokenUnavailable
from gcp_aws_bridge.server.asgi import Answer, Request, refusal
from gcp_aws_bridge.server.authorization import Authorization

PATH = "/credentials"


class Served(NamedTuple):
    """One role, and what keeps its credentials fresh."""

    role: Role
    cache: CredentialCache[AwsCredentials]


def endpoint(
    roles: Mapping[str, Served], authorization: Authorization
) -> Callable[[Request], Awaitable[Answer]]:
    """What answers for *roles*: by name below `PATH`, the first one at `PATH` itself."""
    by_path = {f"{PATH}/{name}": served for name, served in roles.items()}
    by_path[PATH] = next(iter(roles.values()))

    async def handle(request: Request) -> Answer:
        # First, so that nobody learns by asking which roles there are. What was forwarded comes
        # from elsewhere: a metadata server refuses it, too.
        if b"x-forwarded-for" in request.headers or not authorization.admits(
            request.headers.get(b"authorization")
        ):
            return refusal(
                401,
                "Unauthorized",
                "the Authorization header is not the token of this endpoint: "
                "set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to its file",
            )
        served = by_path.get(request.path)
        if served is None:
            return refusal(404, "NotFound", f"no role is served here; {PATH} is the first one's")
        try:
            credentials = aws_json(await served.cache.get_async())
        except BridgeError as error:
            return _failure(error)
        credentials["Token"] = credentials.pop("SessionToken")  # its name in this protocol
        return Answer(200, json.dumps({**credentials, "RoleArn": served.role.arn}).encode())

    return handle


def status_of(error: BridgeError) -> int:
    """5xx where asking again may help: SDKs then do, a few times; they do not after a 4xx."""
    return 503 if isinstance(error, TokenUnavailable) or error.retryable else 400


def _failure(error: BridgeError) -> Answer:
    code = error.code if isinstance(error, ExchangeError) else type(error).__name__
    return refusal(status_of(error), code or type(error).__name__, str(error))
