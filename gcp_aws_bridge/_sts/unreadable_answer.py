"""Hides answers of STS that botocore cannot parse from its errors.

The message of botocore's `ResponseParserError` quotes the whole answer. If a proxy truncates or
changes it, the message may contain the secret key and the session token. Tracers record the message
of each error of a client, before this library can remove it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError, XMLParser


def hide_unreadable(register: Callable[..., object]) -> None:
    """Hide answers of STS that are not XML from botocore's errors.

    Args:
        register: Registers an event handler of a botocore session, or of a client's emitter.
    """
    register("before-parse.sts", _hide, unique_id="gcp-aws-bridge-unreadable")


def _hide(response_dict: dict[str, Any], **_: Any) -> None:
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - botocore parses the answer with it too
    try:
        parser.feed(response_dict["body"])
        parser.close()
    except ParseError:
        response_dict["body"] = b""
