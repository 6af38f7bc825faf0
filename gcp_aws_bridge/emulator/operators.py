"""Condition operators: comparison of one value of a request with one value of a policy.

Written from the IAM user guide, "IAM JSON policy elements: Condition operators". A value that does
not have the operator's type matches nothing.
"""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

__all__ = ["OPERATORS", "Operator", "glob"]

Test = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator without its qualifier.

    Attributes:
        test: Comparison of a value of the request with a value of the policy.
        negated: Whether the condition holds if nothing matches.
        variables: Whether values may contain policy variables: "You can use a policy variable for
            Condition values in any condition that involves the string operators or the ARN
            operators."
        wildcards: Whether `*` and `?` are wildcards.
    """

    test: Test
    negated: bool = False
    variables: bool = False
    wildcards: bool = False


_TOKEN = re.compile(r"\$\{([*?$])\}|.", re.DOTALL)


@functools.lru_cache(maxsize=1024)
def glob(pattern: str, any_character: str = ".") -> re.Pattern[str]:
    """Compile a pattern with `*` and `?`; `${*}`, `${?}` and `${$}` are literal characters.

    Args:
        pattern: The pattern.
        any_character: Regular expression for a character that a wildcard matches.
    """
    parts = []
    for token in _TOKEN.finditer(pattern):
        literal = token[1]
        wild = None if literal else {"*": f"{any_character}*", "?": any_character}.get(token[0])
        parts.append(wild or re.escape(literal or token[0]))
    return re.compile("".join(parts), re.DOTALL)


def _like(value: str, wanted: str) -> bool:
    return glob(wanted).fullmatch(value) is not None


def _arn_like(value: str, wanted: str) -> bool:
    """Compare the six parts of an ARN one by one: a wildcard does not match a colon."""
    values, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(values) == len(patterns) == 6 and all(map(_like, values, patterns))


def _ignoring_case(value: str, wanted: str) -> bool:
    # `lower`, not `casefold`: the IAM documentation does not say that "ß" equals "ss".
    return value.lower() == wanted.lower()


def _typed(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Test:
    """Return a test that parses both values. A value that cannot be parsed does not match."""

    def test(value: str, wanted: str) -> bool:
        try:
            return bool(compare(read(value), read(wanted)))
        except (ValueError, OverflowError):
            return False

    return test


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII):
        raise ValueError
    return Decimal(text)  # exact: as floats, the ids of two service accounts may be equal


# "one of the W3C implementations of the ISO 8601 date formats or in epoch (UNIX) time"
_W3C_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(?:Z|([+-])(\d\d):(\d\d)))?)?)?",
    re.ASCII,
)


def _date(text: str) -> Decimal:
    """Convert a date to seconds since 1970."""
    match = _W3C_DATE.fullmatch(text)
    if match is None:
        return _number(text)
    year, month, day, hour, minute, second = (
        int(part or at)
        for part, at in zip(match.groups()[:6], ("", "1", "1", "0", "0", "0"), strict=True)
    )
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    instant = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    instant -= -offset if match[8] == "-" else offset
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return Decimal(int((instant - epoch).total_seconds())) + Decimal(match[7] or 0)


def _in_range(value: str, wanted: str) -> bool:
    """ "If you specify an IP address without the routing prefix, IAM uses ... /32"."""
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _same_bytes(value: str, wanted: str) -> bool:
    """ "compares ... byte for byte against a base-64 encoded representation ... in the policy"."""
    try:
        return value.encode() == base64.b64decode(wanted, validate=True)
    except (binascii.Error, ValueError):
        return False


_ORDER = {
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def _both(name: str, test: Test, **kind: bool) -> dict[str, Operator]:
    """Return an operator and its negation, such as `StringLike` and `StringNotLike`."""
    start = re.match("String|Numeric|Date|Arn|", name)
    prefix = start[0] if start else ""
    negation = f"{prefix}Not{name.removeprefix(prefix)}"
    return {name: Operator(test, **kind), negation: Operator(test, negated=True, **kind)}


OPERATORS: dict[str, Operator] = {
    **_both("StringEquals", operator.eq, variables=True),
    **_both("StringEqualsIgnoreCase", _ignoring_case, variables=True),
    **_both("StringLike", _like, variables=True, wildcards=True),
    **_both("ArnEquals", _arn_like, variables=True, wildcards=True),
    **_both("ArnLike", _arn_like, variables=True, wildcards=True),
    **_both("NumericEquals", _typed(_number, operator.eq)),
    **{f"Numeric{name}": Operator(_typed(_number, test)) for name, test in _ORDER.items()},
    **_both("DateEquals", _typed(_date, operator.eq)),
    **{f"Date{name}": Operator(_typed(_date, test)) for name, test in _ORDER.items()},
    "Bool": Operator(_ignoring_case),
    "BinaryEquals": Operator(_same_bytes),
    **_both("IpAddress", _in_range),
}
"""Operators by name, except `Null`, which compares nothing."""
