"""Detection of ambiguous requests, which are rejected.

A proxy in front of this server, or its rules, may interpret such a request differently than this
server (request smuggling). No SDK sends such requests, so they can all be rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

# The answer depends on these headers. If one is repeated, or present under a name that a CGI
# gateway treats as equal (RFC 3875, section 4.1.18: "-" becomes "_"), it is not clear which value
# counts.
_DECISIVE = frozenset(
    {
        *(b"authorization", b"content-length", b"host", b"metadata-flavor", b"origin"),
        *(b"sec-fetch-site", b"transfer-encoding", b"x-forwarded-for"),
    }
)
# Escapes of a slash, backslash, dot or percent sign, of control characters, and of letters and
# digits, which need none (RFC 3986, section 2.3); an invalid escape; segments that proxies remove.
_UNCLEAR_PATH = re.compile(
    rb"%(?![0-9a-f]{2})"
    rb"|%(?:[01][0-9a-f]|2[5def]|3[0-9]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef])"
    rb"|\\|/\.{1,2}(?:/|$)",
    re.IGNORECASE,
)
# RFC 9112, sections 2.2 (a bare line feed) and 5.2 (a header folded over lines); a null ends a
# string in C.
_UNCLEAR_BYTES = re.compile(rb"\x00|(?<!\r)\n|\n[ \t]")
_LENGTH = re.compile(rb"^content-length[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)


def in_request(target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return what is ambiguous in a parsed request; empty if it is not ambiguous.

    Args:
        target: Path as sent, with its escapes.
        headers: All headers in order, with names in lower case.
    """
    seen = set()
    for name, _ in headers:
        plain = name.replace(b"_", b"-")
        if plain not in _DECISIVE:
            continue
        if plain in seen or plain != name:
            return f"there is more than one header {plain.decode()}, or one with an underscore"
        seen.add(plain)
    if b"transfer-encoding" in seen:
        return "a GET request has no body: omit Transfer-Encoding"
    if not target.startswith(b"/"):
        return "the request target is not a path"
    if _UNCLEAR_PATH.search(target) or not _is_utf8(unquote_to_bytes(target)):
        return "the path has escapes or segments that proxies may interpret differently"
    return ""


def in_bytes(data: bytes) -> str:
    """Return what is ambiguous in a part of a request; empty if it is not ambiguous."""
    if _UNCLEAR_BYTES.search(data):
        return "the request has a null, a bare line feed or a folded header"
    return ""


def in_head(head: bytes) -> str:
    """Return what is ambiguous in the head of a request and would be lost in parsing."""
    lengths = [found[1].strip() for found in _LENGTH.finditer(head)]
    if len(lengths) > 1 or not all(map(bytes.isdigit, lengths)):
        return "Content-Length is not one number"
    return ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
