"""Answers of STS that botocore cannot parse: hidden from its errors, and named by their form.

The message of botocore's `ResponseParserError` quotes the whole answer. If a proxy truncates or
changes it, the message may contain the secret key and the session token. Tracers record the message
of each error of a client, before this library can remove it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Values that errors may show. IANA, "Media Types"; RFC 9110, 8.4.1.
_MEDIA_TYPES = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/problem+json",
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "application/xhtml+xml",
        "application/xml",
        "text/html",
        "text/plain",
        "text/xml",
    }
)
_ENCODINGS = frozenset({"br", "compress", "deflate", "gzip", "identity", "zstd"})


def hide_unreadable(register: Callable[..., object]) -> None:
    """Hide answers of STS that are not XML from botocore's errors.

    Args:
        register: Registers an event handler of a botocore session, or of a client's emitter.
    """
    register("before-parse.sts", _hide, unique_id="gcp-aws-bridge-unreadable")


def _hide(response_dict: dict[str, Any], **_: Any) -> None:
    from xml.etree.ElementTree import ParseError, XMLParser  # botocore has imported it

    parser = XMLParser(encoding="utf-8")  # noqa: S314 - botocore parses the answer with it too
    try:
        parser.feed(response_dict["body"])
        parser.close()
    except ParseError:
        response_dict["body"] = b""


def known_form(media_type: str, encoding: str) -> str:
    """Return both values for a message, each as "unknown form" unless it is a known one.

    A header of a malformed answer may contain keys.
    """
    known = (
        (media_type.partition(";")[0].strip().lower(), _MEDIA_TYPES),
        (encoding.strip().lower(), _ENCODINGS),
    )
    shown = (value if value in names else "unknown form" for value, names in known if value)
    return ", ".join(dict.fromkeys(shown))
