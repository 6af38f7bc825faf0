"""The address of all emulated services: 127.0.0.1, or ::1."""

from __future__ import annotations

import errno
import os
import socket

__all__ = ["IPV4", "IPV6", "check", "in_url", "proxy_exceptions", "reserve"]

IPV4, IPV6 = "127.0.0.1", "::1"

# The machine has no such address, or does not support its family.
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def check(host: str | None) -> str | None:
    """Return *host* if it is an address of loopback, or None for the one that the machine has.

    Raises:
        ValueError: Other machines could reach the emulator, which gives tokens to every client.
    """
    if host not in (None, IPV4, IPV6):
        raise ValueError(f"host is {IPV4} or {IPV6}.")
    return host


def reserve(port: int = 0, host: str | None = None) -> socket.socket:
    """Bind a port without listening. It refuses connections, and no other process can bind it.

    Args:
        host: `None`: 127.0.0.1, or ::1 on a machine without IPv4.
    """
    try:
        return _bound(host or IPV4, port)
    except OSError as error:
        if host or error.errno not in _ABSENT:
            raise
        return _bound(IPV6, port)


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    # On Windows, SO_REUSEADDR is not needed and would let another process bind the port.
    if os.name != "nt":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError):  # in use; out of range
        bound.close()
        raise
    return bound


def in_url(host: str) -> str:
    """Return *host* as it is written in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def proxy_exceptions(host: str) -> dict[str, str]:
    """Return variables that exclude loopback from proxies, if the environment sets a proxy."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    # urllib and botocore compare the host with brackets, requests and curl without.
    names = [IPV4, "localhost", *([IPV6, in_url(IPV6)] if host == IPV6 else [])]
    variables = {}
    for name in ("NO_PROXY", "no_proxy"):
        value = os.environ.get(name) or os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
        # "*" excludes all hosts only as the whole value (CPython's urllib, curl's manual page).
        excludes_all = (value or "").strip() == "*"
        variables[name] = ",".join(filter(None, (value, *([] if excludes_all else names))))
    return variables
