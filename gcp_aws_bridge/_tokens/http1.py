"""One request and one answer of HTTP/1.1 over a socket. A strict reader of small answers.

Not `http.client`: it parses header fields by Python's package for e-mail, and importing that takes
longer than Python takes to start. A short command does little else.

See: RFC 9112, sections 2.2, 4, 5, 6 and 7.1.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import IO, Any

_LONGEST_LINE = 65_536  # with _MOST_FIELDS, the limits of http.client
_MOST_FIELDS = 100
_STATUS = rb"HTTP/1\.\d (\d{3})(?: [^\r\n]*)?\r?\n"
_FIELD = rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\r?\n"
_CHUNK = rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n"
_SWITCHING, _FIRST_FINAL = 101, 200
_WITHOUT_BODY = (101, 204, 304)


class InvalidAnswer(Exception):
    """The bytes are no answer of HTTP/1.1. The message quotes nothing of them."""


class NoAnswer(InvalidAnswer):
    """The connection was closed before an answer began."""


class CutShort(InvalidAnswer):
    """The connection was closed within the answer."""


class RawAnswer:
    """An answer. Its `repr` shows nothing of it.

    Attributes:
        headers: By name in lower case. Of several fields with one name, the first.
        body: At most one byte more than the limit of the caller.
        is_whole: False if the body has fewer bytes than announced.
    """

    __slots__ = ("body", "headers", "is_whole", "status")

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, is_whole: bool
    ) -> None:
        self.status, self.headers, self.body, self.is_whole = status, headers, body, is_whole


def send(
    sock: Any, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
) -> None:
    """Send a request, after which the server closes the connection.

    Args:
        headers: With Host; the fields about body and connection are added.

    Raises:
        ValueError: The target or a field has characters that would end it.
        OSError: The connection failed.
    """
    fields = {**headers, "Accept-Encoding": "identity", "Connection": "close"}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    lines = (f"{method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items()))
    if any(not line.isascii() or not line.isprintable() for line in lines) or " " in target:
        raise ValueError("a header field is not printable ASCII")
    head = "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"\r\n"
    # The server may have answered and closed before it has read everything.
    with contextlib.suppress(BrokenPipeError):
        sock.sendall(head + (body or b""))


def read(file: IO[bytes], most_bytes: int) -> RawAnswer:
    """Read the answer to one request, except of HEAD.

    Args:
        file: Buffered.
        most_bytes: Limit of the body; of a longer one, one byte more is read.

    Raises:
        InvalidAnswer: There is no whole head of an answer, or the chunks of its body are not whole.
        OSError: The connection failed.
    """
    status, headers = _head(file)
    while status < _FIRST_FINAL and status != _SWITCHING:  # informational
        status, headers = _head(file)
    if coding := headers.get("transfer-encoding"):
        if coding.lower() != "chunked":
            raise InvalidAnswer("unknown transfer coding")
        return RawAnswer(status, headers, _chunks(file, most_bytes), True)
    length = headers.get("content-length")
    if length is not None and not re.fullmatch(r"\d{1,18}", length, re.ASCII):
        raise InvalidAnswer("malformed length")
    if status in _WITHOUT_BODY:
        length = "0"
    announced = most_bytes + 1 if length is None else min(int(length), most_bytes + 1)
    body = file.read(announced)
    return RawAnswer(status, headers, body, length is None or len(body) == announced)


def _head(file: IO[bytes]) -> tuple[int, dict[str, str]]:
    line = _line(file, NoAnswer)
    found = re.fullmatch(_STATUS, line)
    if found is None:
        raise InvalidAnswer("malformed status line")
    headers: dict[str, str] = {}
    for _ in range(_MOST_FIELDS + 1):
        line = _line(file)
        if line in (b"\r\n", b"\n"):
            return int(found[1]), headers
        field = re.fullmatch(_FIELD, line)
        if field is None:
            raise InvalidAnswer("malformed header field")
        name, text = (part.decode("latin-1") for part in field.groups())
        name = name.lower()
        # Section 6.3: servers and proxies that disagree about the length may be under attack.
        if name in headers and (
            name == "transfer-encoding" or (name == "content-length" and headers[name] != text)
        ):
            raise InvalidAnswer("two lengths")
        headers.setdefault(name, text)
    raise InvalidAnswer("too many header fields")


def _chunks(file: IO[bytes], most_bytes: int) -> bytes:
    body = b""
    while len(body) <= most_bytes:
        found = re.fullmatch(_CHUNK, _line(file))
        if found is None:
            raise InvalidAnswer("malformed chunk")
        size = int(found[1], 16)
        if size == 0:
            for _ in range(_MOST_FIELDS + 1):  # trailer fields, which are not used
                if _line(file) in (b"\r\n", b"\n"):
                    return body
            raise InvalidAnswer("too many trailer fields")
        body += (part := file.read(min(size, most_bytes + 1)))
        if len(body) <= most_bytes and (len(part) < size or _line(file) not in (b"\r\n", b"\n")):
            raise CutShort("a chunk is cut short")
    return body[: most_bytes + 1]


def _line(file: IO[bytes], at_end: type[InvalidAnswer] = CutShort) -> bytes:
    line = file.readline(_LONGEST_LINE + 1)
    if not line:
        raise at_end("connection closed")
    if len(line) > _LONGEST_LINE:
        raise InvalidAnswer("a line is too long")
    if not line.endswith(b"\n"):
        raise CutShort("a line is cut short")
    return line
