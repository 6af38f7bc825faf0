"""Checks that tokens are only sent encrypted, or to this machine."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from gcp_aws_bridge.exceptions import ConfigError, quoted


def require_https(url: str) -> None:
    """Check that *url* is HTTPS, or plain HTTP to this machine.

    Raises:
        ConfigError: The network could read a token sent to *url*.
    """
    if is_confidential(url):
        return
    raise ConfigError(
        f"The STS endpoint is {quoted(url)}; the ID token goes over HTTPS only "
        "(plain HTTP to this machine alone, for emulators).",
        fix="unset AWS_ENDPOINT_URL_STS / AWS_ENDPOINT_URL, or give an https:// address.",
        error_id="config/sts-plain-http",
    )


def is_plain_http(url: str) -> bool:
    """Return whether *url* is sent without TLS."""
    try:
        return urlsplit(url).scheme == "http"
    except ValueError:  # brackets without an address in them
        return False


def is_confidential(url: object, proxy: str | None = None, *, forwards: bool = False) -> bool:
    """Return whether traffic to *url* is encrypted end to end or stays on this machine.

    This depends on the proxy too, which can read plain HTTP to loopback.

    Args:
        url: The URL.
        proxy: URL of the proxy of the connection. Empty for a direct connection.
        forwards: Whether an HTTPS proxy receives the request itself, and so terminates TLS, instead
            of CONNECT: `proxy_use_forwarding_for_https` of botocore's `proxies_config`,
            `use_forwarding_for_https` of urllib3.
    """
    text = str(url)
    try:
        scheme, host = urlsplit(text).scheme, urlsplit(text).hostname or ""
    except ValueError:  # brackets without an address in them
        return False
    # HTTP clients treat a backslash like a slash after the host (WHATWG URL standard).
    if not host or "\\" in text:
        return False
    if scheme == "https":
        # urllib3 forwards to HTTPS proxies only (`connection_requires_http_tunnel`).
        return not (forwards and (proxy or "").strip().lower().startswith("https:"))
    # urlsplit removes tabs and line breaks, which are part of the host for HTTP clients.
    has_blank = any(character <= " " or character == "\x7f" for character in text)
    return scheme == "http" and not proxy and not has_blank and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    """Return whether a connection to *host* stays on this machine.

    RFC 6761, section 6.3, requires `localhost` to be loopback, but the resolver of botocore and
    requests treats it like any other name: /etc/hosts or a DNS server may have another address.
    """
    if host.rstrip(".") == "localhost":
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return False
        return all(_is_loopback_address(str(address[0])) for *_, address in found)
    return _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # Releases of Python differ for ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
