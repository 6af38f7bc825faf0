"""Answers of STS that botocore cannot read, without what they hold.

The text of botocore's `ResponseParserError` quotes the whole answer: cut short or changed by a
proxy, it may hold the secret key and the session token. Tracers record the text of each error that
leaves a client, before this library sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError, XMLParser


def hide_unreadable(register: Callable[..., object]) -> None:
    """Hide answers of STS that are not XML from what botocore raises.

    Args:
        register: Registers an event handler of a botocore session, or of a client's emitter.
    """
    register("before-parse.sts", _hide, unique_id="gcp-aws-bridge-unreadable")


def _hide(response_dict: dict[str, Any], **_: Any) -> None:
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - botocore's own, which reads it next
    try:
        parser.feed(response_dict["body"])
        parser.close()
    except ParseError:
        response_dict["body"] = b""
