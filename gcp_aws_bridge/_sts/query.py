"""Requests of AWS's query protocol, in which STS takes its parameters.

See: Smithy, "AWS query protocol", for the names of list members; AWS STS API reference, "Making
query requests".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gcp_aws_bridge._tokens.form import urlencoded

_VERSION = "2011-06-15"  # the only API version (AWS STS API reference)
CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"


def encoded(operation: str, parameters: Mapping[str, Any]) -> bytes:
    """Return the body of a request.

    Args:
        operation: `AssumeRole`, for example.
        parameters: Texts, numbers, and lists of mappings or texts, as botocore's clients take them.
    """
    fields = {"Action": operation, "Version": _VERSION, **dict(_flat("", parameters))}
    return urlencoded(fields.items()).encode("ascii")


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each value below *prefix*."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, inner)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value, start=1):
            yield from _flat(f"{prefix}.member.{number}", inner)
    else:
        yield prefix, str(value)
