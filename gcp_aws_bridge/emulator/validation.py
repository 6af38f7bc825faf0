"""Validation of the parameters of a Query request: lengths, patterns, bounds.

The messages are those of the validation that all AWS Query APIs share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .answers import AwsError

__all__ = ["Rule", "invalid", "members", "numbered", "validate", "violation"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Constraints of one parameter in the API reference."""

    name: str
    required: bool = False
    least: int = 0
    most: int | None = None
    pattern: str | None = None
    integer: bool = False
    secret: bool = False


def validate(params: Mapping[str, str], rules: Iterable[Rule]) -> None:
    """Check all parameters. The error lists all that fail, as AWS does.

    Raises:
        AwsError: `ValidationError`, or `MalformedInput` if a number is malformed.
    """
    failures = []
    for rule in rules:
        value = params.get(rule.name)
        if value is None:
            if rule.required:
                failures.append(_failure(rule.name, "must not be null", " null"))
            continue
        if rule.integer and not re.fullmatch(r"[+-]?\d{1,10}", value, re.ASCII):
            raise AwsError("MalformedInput", f"{rule.name} is not an integer")
        shown = "" if rule.secret else f" '{value}'"
        failures += [_failure(rule.name, wrong, shown) for wrong in _broken(rule, value)]
    if failures:
        raise _violations(failures)


def violation(name: str, constraint: str) -> AwsError:
    """Return the `ValidationError` for one parameter that does not satisfy a constraint."""
    return _violations([_failure(name, constraint)])


def members(params: Mapping[str, str], name: str, field: str = "") -> list[str]:
    """Return the items of a list, in order (`NAME.member.N`), or one field of each item."""
    return list(numbered(params, name, field).values())


def numbered(params: Mapping[str, str], name: str, field: str = "") -> dict[int, str]:
    """Return the items of a list by their number, in order, or one field of each item."""
    suffix = rf"\.{field}" if field else ""
    pattern = re.compile(rf"{name}\.member\.(\d{{1,4}}){suffix}", re.ASCII)
    found = {int(m[1]): value for key, value in params.items() if (m := pattern.fullmatch(key))}
    return dict(sorted(found.items()))


def invalid(message: str) -> AwsError:
    """Return a `ValidationError`."""
    return AwsError("ValidationError", message)


def _violations(failures: list[str]) -> AwsError:
    plural = "s" if len(failures) > 1 else ""
    return invalid(f"{len(failures)} validation error{plural} detected: {'; '.join(failures)}")


def _failure(name: str, constraint: str, shown: str = "") -> str:
    member = name[0].lower() + name[1:]
    return f"Value{shown} at '{member}' failed to satisfy constraint: Member {constraint}"


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
