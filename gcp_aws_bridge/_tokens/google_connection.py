"""Confidential requests of google-auth: no proxy and no network reads the tokens in them.

No redirect is followed, no password of ~/.netrc replaces the bearer token, and plain HTTP, which is
for emulators on loopback, uses no proxy, whatever `HTTP_PROXY` or a session of the user says.
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
from gcp_aws_bridge._tokens.confidential import is_confidential, is_plain_http
from gcp_aws_bridge.exceptions import ConfigError, quoted

_TIMEOUT_S = 120  # as google-auth's own


class BoundedAdapter(HTTPAdapter):
    """requests' adapter, with a time limit for each whole answer, a proxy's included."""

    def init_poolmanager(self, *given: Any, **settings: Any) -> None:
        super().init_poolmanager(*given, **settings)
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
        https: The adapter for HTTPS. None: one that reads certificates as requests does.
    """
    session = Session()
    session.mount("https://", https or BoundedAdapter())
    session.mount("http://", BoundedAdapter())
    return session


class ConfidentialRequest(Request):
    """google-auth's transport, with the rules of `send`; the caller closes `session`."""

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
        """Send a request; errors as of `send`."""
        asked = {"body": body, "headers": headers, "timeout": timeout, **kwargs}
        _require_loopback(url, method, asked)
        untyped: Any = super()
        return untyped.__call__(url=url, method=method, **{**asked, **_options(self, url)})


def send(request: Any, url: str, method: str, **asked: Any) -> Any:
    """Send a request by *request*, a transport of google-auth or any callable like one.

    Raises:
        ConfigError: The request could be read on the network, or by a proxy that decrypts it.
        google.auth.exceptions.TransportError: There was no answer.
    """
    _require_loopback(url, method, asked)
    if isinstance(request, Request):
        return request(url=url, method=method, **asked, **_options(request, url))
    if not _is_of_urllib3(request):
        return request(url=url, method=method, **asked)
    proxy, forwards = _urllib3_proxy(request.http)
    if proxy and is_plain_http(url):  # a proxy manager of urllib3 cannot leave out its proxy
        with bounded_session() as session:
            return send(Request(session), url, method, **asked)
    _require_tunnel(url, proxy, forwards)
    return request(url=url, method=method, redirect=False, **asked)


def _options(request: Request, url: str) -> dict[str, Any]:
    """Return what *request* is to tell requests; raises as `send`."""
    session = request.session
    options: dict[str, Any] = {"allow_redirects": False, "auth": session.auth or _unchanged}
    if is_plain_http(url):
        # The most specific keys of requests, which win over the session's and environment's.
        options["proxies"] = dict.fromkeys(("http", f"http://{urlsplit(url).hostname}"), "")
    elif proxy := proxy_of(session, url):
        _require_tunnel(url, proxy, _forwards(session, url, proxy))
    return options


def proxy_of(session: Session, url: str) -> str:
    """Return the proxy that requests of *session* use for *url*; empty for none."""
    if is_plain_http(url):
        return ""
    merged = session.merge_environment_settings(url, {}, None, None, None)
    return str(select_proxy(url, merged["proxies"]) or "")


def _require_loopback(url: str, method: str, asked: dict[str, Any]) -> None:
    # google-auth asks metadata servers and other sources of subject tokens by GET and PUT, without
    # a body: plain HTTP by their protocols.
    named = {str(name).lower() for name in asked.get("headers") or ()}
    carries_token = asked.get("body") or method.upper() == "POST" or "authorization" in named
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
    """Return whether the session's adapter, a subclass of requests' own, forwards HTTPS."""
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
    """Return the proxy of a pool manager of urllib3, and whether it is sent HTTPS requests."""
    # ProxyManager has a URL in parts, SOCKSProxyManager the text.
    proxy = getattr(http, "proxy", None) or getattr(http, "proxy_url", None)
    return str(proxy or ""), _is_forwarding(http)


def _unchanged(request: Any) -> Any:
    """Leave a request as it is: requests would look up a password for the host in ~/.netrc."""
    return request
