"""Requests that two readers may understand differently: none of them is answered.

A proxy before this server, or a rule in it, may decide by one reading and this server by another
(request smuggling). No SDK sends such a request, so that refusing all of them costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

# An answer depends on these: twice, or under a name that a CGI gateway takes for the same
# (RFC 3875, section 4.1.18: "-" becomes "_"), there is no telling which one counts.
_DECISIVE = frozenset(
    {
        *(b"authorization", b"content-length", b"host", b"metadata-flavor", b"origin"),
        *(b"sec-fetch-site", b"transfer-encoding", b"x-forwarded-for"),
    }
)
# Escapes of a slash, backslash, dot or percent sign, of control characters, and of letters and
# digits, which need none (RFC 3986, section 2.3); a broken escape; segments that others remove.
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
    """Return what is ambiguous in a parsed request; empty where nothing is.

    Args:
        target: Path as it was sent, with its escapes.
        headers: All of them, in order, names in lower case.
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
        return "a GET request has no body: leave out Transfer-Encoding"
    if not target.startswith(b"/"):
        return "the request target is not a path"
    if _UNCLEAR_PATH.search(target) or not _is_utf8(unquote_to_bytes(target)):
        return "the path has escapes or segments that others may read differently"
    return ""


def in_bytes(data: bytes) -> str:
    """Return what is ambiguous in any piece of a request; empty where nothing is."""
    if _UNCLEAR_BYTES.search(data):
        return "the request has a null, a bare line feed or a folded header"
    return ""


def in_head(head: bytes) -> str:
    """Return what is ambiguous in a request's whole head, and lost when it is parsed."""
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
