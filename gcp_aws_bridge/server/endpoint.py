"""The answers of the container-credentials protocol."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.persistence import aws_json
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, TokenUnavailable
from gcp_aws_bridge.server.asgi import Answer, Request, error_answer
from gcp_aws_bridge.server.authorization import Authorization

PATH = "/credentials"


def endpoint(
    caches: Mapping[str, CredentialCache[AwsCredentials]], authorization: Authorization
) -> Callable[[Request], Awaitable[Answer]]:
    """Return the handler that serves *caches* below `PATH`, and the first one at `PATH` as well.

    Args:
        caches: By name. Their labels are the ARNs of the roles.
        authorization: Checks the token of each request.
    """
    by_path = {f"{PATH}/{name}": cache for name, cache in caches.items()}
    by_path[PATH] = next(iter(caches.values()))

    async def handle(request: Request) -> Answer:
        # Check this first, so that the names of roles stay unknown without the token. Forwarded
        # requests come from other machines: metadata servers reject them, too.
        if b"x-forwarded-for" in request.headers or not authorization.admits(
            request.headers.get(b"authorization")
        ):
            return error_answer(
                401,
                "Unauthorized",
                "the Authorization header is not the token of this endpoint: "
                "set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to its file",
            )
        cache = by_path.get(request.path)
        if cache is None:
            return error_answer(404, "NotFound", f"there is no such role; {PATH} is the first one")
        try:
            credentials = aws_json(await cache.get_async())
        except BridgeError as error:
            return _failure(error)
        credentials["Token"] = credentials.pop("SessionToken")  # its name in this protocol
        return Answer(200, json.dumps({**credentials, "RoleArn": cache.label}).encode())

    return handle


def status_of(error: BridgeError) -> int:
    """Return 503 if a retry may help, else 400: SDKs retry a few times only after 5xx."""
    return 503 if isinstance(error, TokenUnavailable) or error.retryable else 400


def _failure(error: BridgeError) -> Answer:
    code = error.code if isinstance(error, ExchangeError) else type(error).__name__
    return error_answer(status_of(error), code or type(error).__name__, str(error))
