"""Percent-encoding of form fields and paths, as `urllib.parse` does it, without its slow import.

See: RFC 3986, section 2; URL standard (WHATWG), "application/x-www-form-urlencoded serializing".
"""

from __future__ import annotations

from collections.abc import Iterable

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def urlencoded(fields: Iterable[tuple[str, str]]) -> str:
    """Return *fields* as a query or as the body of a form."""
    pairs = ((encoded(name), encoded(value)) for name, value in fields)
    return "&".join(f"{name}={value}" for name, value in pairs).replace("%20", "+")


def encoded(text: str, safe: str = "") -> str:
    """Return *text* with all characters encoded that are neither unreserved nor in *safe*."""
    kept = _UNRESERVED.union(safe.encode("ascii"))
    return "".join(chr(one) if one in kept else f"%{one:02X}" for one in text.encode("utf-8"))
