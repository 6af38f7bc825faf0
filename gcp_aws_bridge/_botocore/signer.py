"""`signer()`: signs the requests of httpx and requests to AWS endpoints that no SDK covers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Generator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from gcp_aws_bridge._botocore.allowed_hosts import AllowedHosts
from gcp_aws_bridge._botocore.httpx_internals import (
    HttpxAuth,
    body_of,
    follows_redirects,
    forbid_redirects,
    remove_signature,
)
from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._botocore.retry_rejected import is_rejection, signing_key
from gcp_aws_bridge._botocore.signature import (
    SIGNATURE_HEADERS,
    Scope,
    Unsigned,
    encoded_target,
    headers_to_sign,
    sign,
)
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gcp_aws_bridge._botocore.request import RoleSettings
    from gcp_aws_bridge._tokens.default import TokenSource
    from gcp_aws_bridge.config import Role

_R = TypeVar("_R")


class Signer(HttpxAuth, Adapter):
    """Value of `auth=` for clients of httpx, httpx2 and requests; create it with `signer`.

    One object is enough for any number of clients, threads and tasks. Pickles as settings.
    """

    def __init__(
        self,
        role_arn: str | Role | None = None,
        *,
        service: str,
        region: str,
        hosts: Collection[str],
        token_source: TokenSource | None = None,
        **settings: Unpack[RoleSettings],
    ) -> None:
        self._scope, self._hosts = Scope.of(service, region), AllowedHosts(hosts)
        super().__init__(role_arn, token_source=token_source, **settings)

    def __reduce__(self) -> tuple[Any, ...]:
        service, region = self._scope
        hosts = [*self._hosts]
        return self._request.pickled(type(self), service=service, region=region, hosts=hosts)

    def __repr__(self) -> str:
        service, region = self._scope
        hosts = ", ".join(self._hosts)
        return f"<{type(self).__name__} of {service} in {region}, for {hosts}: {self._request!r}>"

    # -- httpx -----------------------------------------------------------------------------------

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Sign a request of `httpx.Client`, and once more if AWS rejects the key."""
        unsigned = self._unsigned(request)
        request.headers.update(sign(unsigned, self._scope, self._cache.get()))
        response = yield request
        if response.status_code in _MAY_BE_REJECTED:
            response.read()
            if self._signs_again(request.headers, response, unsigned.body):
                request.headers.update(sign(unsigned, self._scope, self._cache.get()))
                response = yield request
        _check_redirect_of_httpx(request, response)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Sign a request of `httpx.AsyncClient`, without blocking the event loop."""
        unsigned = self._unsigned(request)
        request.headers.update(sign(unsigned, self._scope, await self._cache.get_async()))
        response = yield request
        if response.status_code in _MAY_BE_REJECTED:
            await response.aread()
            if self._signs_again(request.headers, response, unsigned.body):
                request.headers.update(sign(unsigned, self._scope, await self._cache.get_async()))
                response = yield request
        _check_redirect_of_httpx(request, response)

    def _unsigned(self, request: Any) -> Unsigned:
        """Check a request of httpx, and encode its URL as AWS signs it."""
        url = request.url
        host = self._hosts.require(_shown(url), request.headers.get_list("host"))
        forbid_redirects(request)
        target = encoded_target(url.raw_path.decode("ascii"), self._scope)
        request.url = url = url.copy_with(raw_path=target.encode("ascii"))
        headers = headers_to_sign(
            (name.decode(), value.decode("latin-1")) for name, value in request.headers.raw
        )
        sent = url.raw_path.decode("ascii")
        address = f"{url.scheme}://{host}"
        return Unsigned(request.method, address, sent, headers, body_of(request))

    # -- requests --------------------------------------------------------------------------------

    def __call__(self, request: _R) -> _R:
        """Sign a `requests.PreparedRequest`, and once more in its hook if AWS rejects the key."""
        prepared: Any = request
        self._sign_for_requests(prepared)
        prepared.register_hook("response", self._answered)
        return request

    def _sign_for_requests(self, request: Any) -> None:
        names = [name for name in request.headers if name.lower() == "host"]
        host = self._hosts.require(request.url, [_text(request.headers[name]) for name in names])
        parts = urlsplit(request.url)
        # requests sends one slash where the path begins with several.
        path = "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        target = encoded_target(path, self._scope)
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        request.url = f"{parts.scheme}://{parts.netloc}{target}{fragment}"
        if isinstance(request.body, str):
            request.body = request.body.encode()  # as urllib3 2 does; urllib3 1 sends Latin-1
        headers = headers_to_sign((name, _text(value)) for name, value in request.headers.items())
        if not names:
            headers.append(("Host", host))
        url = f"{parts.scheme}://{host}"
        unsigned = Unsigned(request.method, url, target, headers, _requests_body(request))
        request.headers.update(sign(unsigned, self._scope, self._cache.get()))

    def _answered(self, response: Any, **options: Any) -> Any:
        """Handle the event `response` of requests, before requests follows a redirect."""
        if response.status_code in _MAY_BE_REJECTED:
            request = response.request
            if self._signs_again(request.headers, response, _requests_body(request)):
                response = self._send_again(response, options)
        if response.is_redirect:
            response.close()
            raise _redirected(response.headers["location"])
        return response

    def _send_again(self, response: Any, options: dict[str, Any]) -> Any:
        response.close()
        again = response.request.copy()
        self._sign_for_requests(again)
        newer = response.connection.send(again, **options)
        newer.history.append(response)
        newer.request = again
        return newer

    # -- both ------------------------------------------------------------------------------------

    def _signs_again(self, signed: Any, response: Any, body: Any) -> bool:
        """Report a rejected key, and return whether to sign and send the request again."""
        key = signing_key(signed["Authorization"])
        if key is None or not is_rejection(
            response.headers.get("x-amzn-ErrorType", ""),
            # Not `text`: clients fail at some charsets that a server may name.
            response.content.decode("latin-1"),
        ):
            return False
        return self._cache.reject(key) and isinstance(body, bytes)


def signer(
    role_arn: str | Role | None = None,
    *,
    service: str,
    region: str,
    hosts: Collection[str],
    token_source: TokenSource | None = None,
    **settings: Unpack[RoleSettings],
) -> Signer:
    """Create a signer for requests to AWS endpoints that no SDK covers.

    For API Gateway, Lambda function URLs, MCP servers, Bedrock AgentCore, OpenSearch and others
    that verify AWS Signature Version 4. Pass it as `auth=` to clients of httpx, httpx2 and
    requests. It signs each request with the newest credentials, and once more if AWS rejects the
    key. A redirect is not followed; it is an error where the client would follow it (with requests,
    always).

    Args:
        role_arn: See `session`, also for *token_source* and the settings (`audience`,
            `role_session_name`, `duration_seconds`, `chain`, `policy`, `policy_arns`,
            `sts_regions`).
        service: Name of the service in the signature, such as `execute-api`, `lambda`,
            `bedrock-agentcore`, `es` or `s3`.
        region: Region of the endpoint.
        hosts: Hosts that may receive signed requests, compared exactly; with the port, unless it is
            the default port. A request to another host is an error.

    Raises:
        ConfigError: No role is configured, a setting is malformed, or *hosts* is empty. Requests
            raise it for another host, plain HTTP, a redirect, and a body that cannot be hashed.
    """
    return Signer(
        role_arn,
        service=service,
        region=region,
        hosts=hosts,
        token_source=token_source,
        **settings,
    )


# Statuses with which services answer a rejected key; `is_rejection` then reads the answer.
_MAY_BE_REJECTED = (400, 401, 403)


def _shown(url: Any) -> str:
    """Return scheme, user and host of a URL of httpx, for the check of the host."""
    user = "@" if url.userinfo else ""
    return f"{url.scheme}://{user}{url.netloc.decode('ascii')}"


def _requests_body(request: Any) -> Any:
    body = request.body
    if body is None or isinstance(body, (bytes, bytearray)):
        return bytes(body or b"")
    seekable = getattr(body, "seekable", None)
    is_binary = not hasattr(body, "encoding")
    return body if callable(seekable) and seekable() and is_binary else None


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _check_redirect_of_httpx(request: Any, response: Any) -> None:
    if not response.has_redirect_location:
        return
    if follows_redirects(request):
        raise _redirected(response.headers["location"])
    # The program may send `response.next_request` itself, with a client that does not sign it.
    remove_signature(response.next_request, SIGNATURE_HEADERS)


def _redirected(location: str) -> ConfigError:
    return ConfigError(
        f"The answer is a redirect to {quoted(location)}; signed requests do not follow redirects.",
        fix="request that address, and add its host to hosts=[…] of bridge.signer() if it may "
        "receive signed requests.",
        error_id="config/signer-redirect",
    )
