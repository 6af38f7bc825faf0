"""Confidential connections of botocore's clients: no proxy or network can read tokens or keys.

botocore also uses `HTTP_PROXY` for plain HTTP to loopback, unless `NO_PROXY` excludes it. A proxy
on the network could then read the whole exchange with an emulator or a gateway on this machine.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import get_environ_proxies

from gcp_aws_bridge._sts.botocore_internals import http_session_of, replace_pool_classes
from gcp_aws_bridge._tokens.bounded_answer import bounded
from gcp_aws_bridge._tokens.https import is_confidential, is_plain_http, require_https
from gcp_aws_bridge.exceptions import ConfigError, quoted

_EVENT = "before-send"
_UNIQUE_ID = "gcp-aws-bridge-direct"
_TIMEOUT_S = (5, 10)  # like the library's STS clients: connecting, and each wait for data


def direct(session: Session) -> Session:
    """Make all clients of *session* send plain HTTP without a proxy; return *session*.

    Also hides answers of STS that botocore cannot read from its errors. For sessions that this
    library creates, because botocore's providers call STS too.
    """
    handler: Any = _send_directly  # `before-send` is the event whose handlers return an answer
    session.register(_EVENT, handler, unique_id=_UNIQUE_ID)
    _hide_unreadable(session.register)
    return session


def keep_confidential(client: Any) -> None:
    """Make *client* send plain HTTP without a proxy, and check its HTTPS.

    Also limits the time of its answers, and hides answers that botocore cannot read from its
    errors.

    Raises:
        ConfigError: The network or a proxy could read its requests.
    """
    config = client.meta.config
    url = client.meta.endpoint_url
    require_confidential(url, proxy_for(url, config.proxies), config)
    events = client.meta.events
    events.unregister(_EVENT, unique_id=_UNIQUE_ID)  # the session's handler has other time-outs
    timeout = (config.connect_timeout, config.read_timeout)
    events.register(_EVENT, partial(_send_directly, timeout=timeout), unique_id=_UNIQUE_ID)
    _hide_unreadable(events.register)
    bound_answers(http_session_of(client))


def _hide_unreadable(register: Any) -> None:
    from gcp_aws_bridge._sts.unreadable_answer import hide_unreadable

    hide_unreadable(register)


def require_confidential(url: str, proxy: str, config: Any) -> None:
    """Check that no network and no proxy can read requests to *url* with the settings in *config*.

    Args:
        proxy: URL of the proxy of such requests; empty for none.

    Raises:
        ConfigError: One of them could.
    """
    require_https(url)
    forwards = bool((config.proxies_config or {}).get("proxy_use_forwarding_for_https"))
    if is_confidential(url, proxy, forwards=forwards):
        return
    raise ConfigError(
        f"Requests to {quoted(url)} would be forwarded by the proxy {quoted(proxy)}, which "
        "decrypts them: it would read the ID token and the AWS keys.",
        fix="remove proxy_use_forwarding_for_https from proxies_config, so that the proxy is "
        "asked for a tunnel (CONNECT)"
        + (", or exclude the host with NO_PROXY." if config.proxies is None else "."),
        error_id="config/sts-proxy-forwarding",
    )


def bound_answers(session: URLLib3Session) -> None:
    """Limit the time and the size of each whole answer. *session* must not have connections yet."""
    replace_pool_classes(session, bounded)


def proxy_for(url: str, proxies: dict[str, str] | None) -> str:
    """Return the proxy that a client uses for *url* after `keep_confidential`, or "".

    Args:
        proxies: Proxies of the client's `Config`; None: those of the environment.
    """
    if is_plain_http(url):
        return ""
    return str((get_environ_proxies(url) if proxies is None else proxies).get("https") or "")


def _send_directly(request: Any, *, timeout: Any = _TIMEOUT_S, **_: Any) -> Any:
    """Handle botocore's `before-send`: send plain HTTP without a proxy; return None for HTTPS."""
    if not is_plain_http(request.url):
        return None
    require_https(request.url)
    session = URLLib3Session(timeout=timeout)
    bound_answers(session)
    try:
        return session.send(request)
    finally:
        session.close()
