"""Checks that AWS makes of every parameter of a Query request: lengths, patterns, bounds.

The wording is that of the validation which every AWS Query API shares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .answers import AwsError

__all__ = ["Rule", "invalid", "members", "validate"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What the API reference says of one parameter."""

    name: str
    required: bool = False
    least: int = 0
    most: int | None = None
    pattern: str | None = None
    integer: bool = False
    secret: bool = False


def validate(params: Mapping[str, str], rules: Iterable[Rule]) -> None:
    """Check every parameter; report all that fail at once, as AWS does.

    Raises:
        AwsError: `ValidationError`, or `MalformedInput` for what is not a number.
    """
    failures = []
    for rule in rules:
        value = params.get(rule.name)
        if value is None:
            if rule.required:
                failures.append(_failure(rule, "null", "must not be null"))
            continue
        if rule.integer and not re.fullmatch(r"[+-]?\d{1,10}", value, re.ASCII):
            raise AwsError("MalformedInput", f"{rule.name} is not an integer")
        shown = "" if rule.secret else f"'{value}'"
        failures += [_failure(rule, shown, wrong) for wrong in _broken(rule, value)]
    if failures:
        plural = "s" if len(failures) > 1 else ""
        raise invalid(f"{len(failures)} validation error{plural} detected: {'; '.join(failures)}")


def members(params: Mapping[str, str], name: str, of: str) -> list[str]:
    """Return a list of structures' members of one name, in order (`NAME.member.N.OF`)."""
    pattern = re.compile(rf"{name}\.member\.(\d{{1,4}})\.{of}", re.ASCII)
    found = {int(m[1]): value for key, value in params.items() if (m := pattern.fullmatch(key))}
    return [found[number] for number in sorted(found)]


def invalid(message: str) -> AwsError:
    """Return a `ValidationError`."""
    return AwsError("ValidationError", message)


def _failure(rule: Rule, shown: str, wrong: str) -> str:
    member = rule.name[0].lower() + rule.name[1:]
    value = f"Value {shown} at" if shown else "Value at"
    return f"{value} '{member}' failed to satisfy constraint: Member {wrong}"


def _broken(rule: Rule, value: str) -> list[str]:
    size, what = (int(value), "value") if rule.integer else (len(value), "length")
    wrong = []
    if rule.most is not None and size > rule.most:
        wrong.append(f"must have {what} less than or equal to {rule.most}")
    if size < rule.least:
        wrong.append(f"must have {what} greater than or equal to {rule.least}")
    if rule.pattern is not None and not re.fullmatch(rule.pattern, value, re.ASCII):
        wrong.append(f"must satisfy regular expression pattern: {rule.pattern}")
    return wrong
