"""The Condition element of IAM policies: operators, set qualifiers, missing keys.

Written from the IAM user guide: "IAM JSON policy elements: Condition operators", "Single-valued vs.
multivalued context keys" and "Access Analyzer policy check reference" (what IAM refuses). Date and
IpAddress operators and policy variables are refused by name: an emulator that skipped them would
admit what IAM refuses.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

__all__ = ["Condition", "Context", "glob", "parse_conditions"]

Context = Mapping[str, "tuple[str, ...]"]
"""Values by condition key. Keys are in lower case, because IAM ignores theirs."""


class Condition(Protocol):
    """Something that a request must meet."""

    def holds(self, context: Context) -> bool:
        """Tell whether the request that `context` describes meets this condition."""
        ...


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One key under one operator. `values` are alternatives."""

    test: Callable[[str, str], bool]
    negated: bool
    qualifier: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context) -> bool:
        present = context.get(self.key, ())
        if not present:
            return self._holds_without_key()
        if self.qualifier == "ForAllValues":
            return all(self._single(value) for value in present)
        if self.qualifier == "ForAnyValue":
            return any(self._single(value) for value in present)
        # A list under a single-valued operator: any value may match; none may, when negated.
        combine = all if self.negated else any
        return combine(self._single(value) for value in present)

    def _holds_without_key(self) -> bool:
        # "If the key ... is not present in the request context, the values do not match and the
        # condition is false. If the policy condition requires that the key is not matched ...
        # the condition is true." ForAllValues is true, ForAnyValue false, of an empty set.
        if self.qualifier == "ForAllValues" or self.if_exists:
            return True
        return self.negated and not self.qualifier

    def _single(self, value: str) -> bool:
        return any(self.test(value, wanted) for wanted in self.values) is not self.negated


@dataclass(frozen=True, slots=True)
class _Presence:
    """`Null`: whether the key is absent, as the policy says it shall be."""

    key: str
    absent: bool

    def holds(self, context: Context) -> bool:
        return (not context.get(self.key)) is self.absent


def _ignoring_case(value: str, wanted: str) -> bool:
    # Character by character: IAM's pages do not say that "ß" is "ss".
    return value.lower() == wanted.lower()


@functools.lru_cache(maxsize=1024)
def glob(wanted: str) -> re.Pattern[str]:
    """Compile a pattern with `*` and `?`; nothing else is special."""
    parts = [{"*": ".*", "?": "."}.get(char) or re.escape(char) for char in wanted]
    return re.compile("".join(parts), re.DOTALL)


def _like(value: str, wanted: str) -> bool:
    return glob(wanted).fullmatch(value) is not None


def _arn_like(value: str, wanted: str) -> bool:
    """Compare each of an ARN's six parts by itself: a wildcard does not cross a colon."""
    values, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(values) == len(patterns) == 6 and all(map(_like, values, patterns))


def _numeric(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[str, str], bool]:
    def test(value: str, wanted: str) -> bool:
        try:
            # Exact: as floats, the numbers of two service accounts may be one.
            return compare(Decimal(value), Decimal(wanted))
        except InvalidOperation:
            return False

    return test


# Operator -> test of one value against one alternative, and whether the result is negated.
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (operator.eq, False),
    "StringNotEquals": (operator.eq, True),
    "StringEqualsIgnoreCase": (_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "NumericEquals": (_numeric(operator.eq), False),
    "NumericNotEquals": (_numeric(operator.eq), True),
    "NumericLessThan": (_numeric(operator.lt), False),
    "NumericLessThanEquals": (_numeric(operator.le), False),
    "NumericGreaterThan": (_numeric(operator.gt), False),
    "NumericGreaterThanEquals": (_numeric(operator.ge), False),
    "Bool": (_ignoring_case, False),
}


def parse_conditions(block: object, *, variables: bool = True) -> tuple[Condition, ...]:
    """Read a Condition element; every member must hold.

    Args:
        variables: Whether the policy's Version has policy variables. In an older one `${...}` is
            text like any other.

    Raises:
        ValueError: It is no Condition element, or has an operator that is unknown or that the
            emulator does not evaluate.
    """
    if not isinstance(block, dict):
        raise ValueError("Condition must be an object of operators.")
    found: list[Condition] = []
    for name, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise ValueError(f"Condition operator {name} needs an object of keys.")
        if len({key.lower() for key in keys}) < len(keys):
            # "Duplicate keys with different case"
            raise ValueError(f"Condition operator {name} has one key twice: keys have no case.")
        found += [_condition(name, key, wanted, variables) for key, wanted in keys.items()]
    return tuple(found)


def _condition(name: str, key: str, wanted: Any, variables: bool) -> Condition:
    if not all(key.rpartition(":")[::2]):
        raise ValueError(f"Condition key {key} is not of the form PREFIX:NAME.")
    values = _values(key, wanted, variables)
    if name == "Null":
        flags = {value.casefold() for value in values}
        if len(flags) != 1 or not flags <= {"true", "false"}:
            raise ValueError(f'Null on {key} must be "true" or "false".')
        return _Presence(key.lower(), flags == {"true"})
    qualifier, colon, rest = name.partition(":")
    if not colon:
        qualifier, rest = "", name
    base = rest.removesuffix("IfExists")
    if qualifier not in ("", "ForAllValues", "ForAnyValue") or base not in _OPERATORS:
        raise ValueError(f"Condition operator {name} is not one that the emulator evaluates.")
    test, negated = _OPERATORS[base]
    return _Comparison(test, negated, qualifier, rest != base, key.lower(), values)


def _values(key: str, wanted: Any, variables: bool) -> tuple[str, ...]:
    items = wanted if isinstance(wanted, list) else [wanted]
    values = []
    for item in items:
        if isinstance(item, bool):
            item = str(item).lower()
        if not isinstance(item, (str, int, float)):
            raise ValueError(f"Condition key {key} has a value that is not a string: {item!r}.")
        if variables and "${" in str(item):
            raise ValueError(f"Condition key {key}: the emulator evaluates no policy variables.")
        values.append(str(item))
    return tuple(values)
