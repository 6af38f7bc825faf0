"""The Condition element of IAM policies: qualifiers, missing keys, policy variables.

Written from the IAM user guide: "IAM JSON policy elements: Condition operators", "Single-valued vs.
multivalued context keys", "IAM policy elements: Variables and tags" and "Access Analyzer policy
check reference" (what IAM rejects). `operators` compares single values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .operators import OPERATORS, Operator

__all__ = ["Condition", "Context", "expand", "parse_conditions"]

Context = Mapping[str, "tuple[str, ...]"]
"""Values by condition key. Keys are in lower case: in IAM they are case-insensitive."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# "surround the default value with single quotes, and separate the variable text and the default
# value with a comma and space"
_DEFAULT = re.compile(r"([^,]*), '(.*)'")
_SPECIAL = ("*", "?", "$")


class Condition(Protocol):
    """A condition of a statement."""

    def holds(self, context: Context) -> bool:
        """Return whether a request with this context meets the condition."""
        ...


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One operator with one key. `values` are alternatives."""

    operator: Operator
    qualifier: str
    if_exists: bool
    key: str
    values: tuple[str, ...]
    variables: bool

    def holds(self, context: Context) -> bool:
        present = context.get(self.key, ())
        # "If the key is not present, evaluate the condition element as true."
        if not present and (self.if_exists or self.qualifier == "ForAllValues"):
            return True
        values = self._expanded(context)
        if values is None:
            # "If AWS cannot resolve a variable, this might cause the entire statement to be
            # invalid". Here the statement does not apply.
            return False
        if not present:
            # "the values do not match and the condition is false. If the policy condition requires
            # that the key is not matched ... the condition is true."
            return self.operator.negated and not self.qualifier
        results = [self._single(value, values) for value in present]
        if self.qualifier:
            return all(results) if self.qualifier == "ForAllValues" else any(results)
        # For several values with a single-valued operator, one match is enough; a negated operator
        # needs that no value matches.
        return all(results) if self.operator.negated else any(results)

    def _expanded(self, context: Context) -> list[str] | None:
        if not self.variables:
            return list(self.values)
        found = [expand(value, context, self.operator.wildcards) for value in self.values]
        return None if None in found else [value for value in found if value is not None]

    def _single(self, value: str, values: list[str]) -> bool:
        matches = any(self.operator.test(value, expected) for expected in values)
        return matches is not self.operator.negated


@dataclass(frozen=True, slots=True)
class _Presence:
    """The `Null` operator: the key must be absent, or present."""

    key: str
    absent: bool

    def holds(self, context: Context) -> bool:
        return (not context.get(self.key)) is self.absent


def expand(text: str, context: Context, wildcards: bool) -> str | None:
    """Replace policy variables by values of the request.

    Args:
        text: Text with `${KEY}`, `${KEY, 'DEFAULT'}`, `${*}`, `${?}` and `${$}`.
        context: Context of the request.
        wildcards: Whether the result is a pattern. Characters of a value are then escaped: the IAM
            documentation does not say that `*` in a value is a wildcard.

    Returns:
        The expanded text; `None` if a variable has no value or several values.
    """
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name = match[1]
        if name in _SPECIAL:
            return match[0] if wildcards else name
        default = _DEFAULT.fullmatch(name)
        found = context.get((default[1] if default else name).lower(), ())
        if len(found) != 1:
            missing = missing or default is None
            return default[2] if default else ""
        return literal(found[0]) if wildcards else found[0]

    replaced = _VARIABLE.sub(value, text)
    return None if missing else replaced


def literal(text: str) -> str:
    """Return a pattern that matches exactly this text."""
    return "".join(f"${{{char}}}" if char in _SPECIAL else char for char in text)


def parse_conditions(block: object, *, variables: bool = True) -> tuple[Condition, ...]:
    """Read a Condition element. All conditions in it must hold.

    Args:
        block: The element.
        variables: Whether the policy's Version supports policy variables. In older versions
            `${...}` is plain text.

    Raises:
        ValueError: The element is malformed, or has an unknown operator.
    """
    if not isinstance(block, dict):
        raise ValueError("Condition must be an object of operators.")
    found: list[Condition] = []
    for name, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise ValueError(f"Condition operator {name} needs an object of keys.")
        if len({key.lower() for key in keys}) < len(keys):
            # "Duplicate keys with different case"
            raise ValueError(
                f"Condition operator {name} has a duplicate key: keys are case-insensitive."
            )
        found += [_condition(name, key, value, variables) for key, value in keys.items()]
    return tuple(found)


def _condition(name: str, key: str, value: Any, variables: bool) -> Condition:
    if not all(key.rpartition(":")[::2]):
        raise ValueError(f"Condition key {key} is not of the form PREFIX:NAME.")
    values = _values(key, value)
    if name == "Null":
        flags = {flag.casefold() for flag in values}
        if len(flags) != 1 or not flags <= {"true", "false"}:
            raise ValueError(f'Null on {key} must be "true" or "false".')
        return _Presence(key.lower(), flags == {"true"})
    qualifier, colon, rest = name.partition(":")
    if not colon:
        qualifier, rest = "", name
    operator = OPERATORS.get(rest.removesuffix("IfExists"))
    if qualifier not in ("", "ForAllValues", "ForAnyValue") or operator is None:
        raise ValueError(f"Invalid Condition type : {name}")
    if operator.wildcards and not variables:
        values = tuple(text.replace("$", "${$}") for text in values)
    expands = variables and operator.variables and any("${" in text for text in values)
    if_exists = rest.endswith("IfExists")
    return _Comparison(operator, qualifier, if_exists, key.lower(), values, expands)


def _values(key: str, value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    values = []
    for item in items:
        if isinstance(item, bool):
            item = str(item).lower()
        if not isinstance(item, (str, int, float)):
            raise ValueError(f"Condition key {key} has a value that is not a string: {item!r}.")
        values.append(str(item))
    return tuple(values)
