"""Confidential requests of google-auth: no proxy or network can read the tokens in them.

Redirects are not followed, and passwords in ~/.netrc do not replace the bearer token. Plain HTTP,
which is for emulators on loopback, never uses a proxy, despite `HTTP_PROXY` or a user's session.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from google.auth.transport.requests import Request
from requests import Session
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy

from gcp_aws_bridge._tokens.bounded_answer import bounded
from gcp_aws_bridge._tokens.https import is_confidential, is_plain_http
from gcp_aws_bridge.exceptions import ConfigError, quoted

_TIMEOUT_S = 120  # google-auth's default


class BoundedAdapter(HTTPAdapter):
    """An adapter for requests with a time limit for each answer, also of proxies."""

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **settings)
        if is_new:
            _bound(manager)
        return manager


def _bound(manager: Any) -> None:
    manager.pool_classes_by_scheme = bounded(manager.pool_classes_by_scheme)


def bounded_session(https: HTTPAdapter | None = None) -> Session:
    """Return a session whose answers have a time limit.

    Args:
        https: Adapter for HTTPS. None: an adapter that loads certificates like requests.
    """
    session = Session()
    session.mount("https://", https or BoundedAdapter())
    session.mount("http://", BoundedAdapter())
    return session


class ConfidentialRequest(Request):
    """google-auth's transport with the rules of `send`. The caller must close `session`."""

    def __init__(self) -> None:
        untyped: Any = super()
        untyped.__init__(bounded_session())

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        timeout: float | None = _TIMEOUT_S,
        **kwargs: Any,
    ) -> Any:
        """Send a request; raises like `send`."""
        options = {"body": body, "headers": headers, "timeout": timeout, **kwargs}
        _require_loopback(url, method, options)
        untyped: Any = super()
        return untyped.__call__(url=url, method=method, **{**options, **_options(self, url)})


def send(request: Any, url: str, method: str, **options: Any) -> Any:
    """Send a request by *request*, a transport of google-auth or a callable with its interface.

    Raises:
        ConfigError: The network, or a proxy that decrypts the request, could read it.
        google.auth.exceptions.TransportError: There was no answer.
    """
    _require_loopback(url, method, options)
    if isinstance(request, Request):
        return request(url=url, method=method, **options, **_options(request, url))
    if not _is_of_urllib3(request):
        return request(url=url, method=method, **options)
    proxy, forwards = _urllib3_proxy(request.http)
    if proxy and is_plain_http(url):  # a proxy manager of urllib3 always uses its proxy
        with bounded_session() as session:
            return send(Request(session), url, method, **options)
    _require_tunnel(url, proxy, forwards)
    return request(url=url, method=method, redirect=False, **options)


def _options(request: Request, url: str) -> dict[str, Any]:
    """Return the options of *request* for requests; raises like `send`."""
    session = request.session
    options: dict[str, Any] = {"allow_redirects": False, "auth": session.auth or _unchanged}
    if is_plain_http(url):
        # The most specific keys, which take precedence over those of the session and environment.
        options["proxies"] = dict.fromkeys(("http", f"http://{urlsplit(url).hostname}"), "")
    elif proxy := proxy_of(session, url):
        _require_tunnel(url, proxy, _forwards(session, url, proxy))
    return options


def proxy_of(session: Session, url: str) -> str:
    """Return the proxy that requests of *session* use for *url*, or ""."""
    if is_plain_http(url):
        return ""
    merged = session.merge_environment_settings(url, {}, None, None, None)
    return str(select_proxy(url, merged["proxies"]) or "")


def _require_loopback(url: str, method: str, options: dict[str, Any]) -> None:
    # google-auth sends GET and PUT without a body to metadata servers and other sources of subject
    # tokens, whose protocols use plain HTTP.
    named = {str(name).lower() for name in options.get("headers") or ()}
    carries_token = options.get("body") or method.upper() == "POST" or "authorization" in named
    if not carries_token or not is_plain_http(url) or is_confidential(url):
        return
    raise ConfigError(
        f"A token would be sent to {quoted(url)} in clear text; tokens go over HTTPS only "
        "(plain HTTP only to this machine, for emulators).",
        fix="give an https:// address: in GCP_AWS_BRIDGE_GOOGLE_STS_URL or _IAM_URL, or for "
        "token_uri or token_url in the credentials file.",
        error_id="config/google-plain-http",
    )


def _require_tunnel(url: str, proxy: str, forwards: bool) -> None:
    if is_plain_http(url) or is_confidential(url, proxy, forwards=forwards):
        return
    raise ConfigError(
        f"A request to {quoted(url)} would be forwarded by the proxy {quoted(proxy)}, which "
        "decrypts it: it would read the tokens.",
        fix="remove use_forwarding_for_https from the proxy manager of request=, so that the proxy "
        "is asked for a tunnel (CONNECT).",
        error_id="config/google-proxy-forwarding",
    )


def _forwards(session: Session, url: str, proxy: str) -> bool:
    """Return whether the session's adapter, a subclass of `HTTPAdapter`, forwards HTTPS."""
    adapter = session.get_adapter(url)
    if not isinstance(adapter, HTTPAdapter) or not proxy.lower().startswith("https:"):
        return False
    return _is_forwarding(adapter.proxy_manager_for(proxy))


def _is_forwarding(manager: Any) -> bool:
    config = getattr(manager, "proxy_config", None)
    return bool(getattr(config, "use_forwarding_for_https", False))


def _is_of_urllib3(request: object) -> bool:
    module = sys.modules.get("google.auth.transport.urllib3")
    return module is not None and isinstance(request, module.Request)


def _urllib3_proxy(http: Any) -> tuple[str, bool]:
    """Return the proxy of a pool manager of urllib3, and whether it forwards HTTPS requests."""
    # ProxyManager has a parsed URL, SOCKSProxyManager a string.
    proxy = getattr(http, "proxy", None) or getattr(http, "proxy_url", None)
    return str(proxy or ""), _is_forwarding(http)


def _unchanged(request: Any) -> Any:
    """Return *request* unchanged. Otherwise requests uses a password for the host in ~/.netrc."""
    return request
