"""Answers and errors of AWS STS: the XML of the Query protocol.

Formats and codes follow the AWS STS API reference (the "Errors" of each action, and "Common
errors"). The service model has the HTTP status of each code.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from xml.sax import saxutils

from .server import Reply

__all__ = ["AwsError", "Tree", "answer", "error_answer"]

_STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
# The front end rejects a request with an unknown action or version.
_FRONT_END_NAMESPACE = "http://webservices.amazon.com/AWSFault/2005-15-09"
_FRONT_END_CODES = frozenset({"InvalidAction", "MissingAction"})

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Tree = Mapping[str, "str | Tree | None"]
"""Elements by name. An element whose value is `None` is omitted."""


class AwsError(Exception):
    """An error of AWS: code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def answer(action: str, result: Tree) -> Reply:
    """Return the 200 answer of an action."""
    request_id = str(uuid.uuid4())
    body = (
        f'<{action}Response xmlns="{_STS_NAMESPACE}">\n'
        f"  <{action}Result>\n{_xml(result, 4)}  </{action}Result>\n"
        f"  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n"
        f"</{action}Response>\n"
    )
    return _reply(200, body, request_id)


def error_answer(error: AwsError) -> Reply:
    """Return the answer for an error. Status codes of 500 and above have the type Receiver."""
    request_id = str(uuid.uuid4())
    front_end = error.code in _FRONT_END_CODES
    namespace = _FRONT_END_NAMESPACE if front_end else _STS_NAMESPACE
    kind = "Sender" if error.status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{namespace}">\n  <Error>\n'
        f"    <Type>{kind}</Type>\n    <Code>{escape(error.code)}</Code>\n"
        f"    <Message>{escape(error.message)}</Message>\n  </Error>\n"
        f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    )
    return _reply(error.status, body, request_id)


def escape(text: str) -> str:
    """Escape text for XML. Characters that XML 1.0 excludes (section 2.2) become U+FFFD."""
    return saxutils.escape(_NOT_XML.sub("\ufffd", text))


def _xml(tree: Tree, indent: int) -> str:
    lines = []
    pad = " " * indent
    for name, value in tree.items():
        if isinstance(value, str):
            lines.append(f"{pad}<{name}>{escape(value)}</{name}>\n")
        elif value is not None:
            lines.append(f"{pad}<{name}>\n{_xml(value, indent + 2)}{pad}</{name}>\n")
    return "".join(lines)


def _reply(status: int, body: str, request_id: str) -> Reply:
    headers = (("x-amzn-RequestId", request_id), ("Content-Type", "text/xml"))
    return Reply(status, body.encode(), headers)
