"""The Condition element of IAM policies: set qualifiers, missing keys, policy variables.

Written from the IAM user guide: "IAM JSON policy elements: Condition operators", "Single-valued vs.
multivalued context keys", "IAM policy elements: Variables and tags" and "Access Analyzer policy
check reference" (what IAM refuses). `operators` compares single values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .operators import OPERATORS, Operator

__all__ = ["Condition", "Context", "expand", "parse_conditions"]

Context = Mapping[str, "tuple[str, ...]"]
"""Values by condition key. Keys are in lower case, because IAM ignores theirs."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# "surround the default value with single quotes, and separate the variable text and the default
# value with a comma and space"
_DEFAULT = re.compile(r"([^,]*), '(.*)'")
_SPECIAL = ("*", "?", "$")


class Condition(Protocol):
    """Something that a request must meet."""

    def holds(self, context: Context) -> bool:
        """Tell whether the request that `context` describes meets this condition."""
        ...


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One key under one operator. `values` are alternatives."""

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
            # invalid": such a statement does not apply here.
            return False
        if not present:
            # "the values do not match and the condition is false. If the policy condition requires
            # that the key is not matched ... the condition is true."
            return self.operator.negated and not self.qualifier
        results = [self._single(value, values) for value in present]
        if self.qualifier:
            return all(results) if self.qualifier == "ForAllValues" else any(results)
        # A list under a single-valued operator: any value may match; none may, when negated.
        return all(results) if self.operator.negated else any(results)

    def _expanded(self, context: Context) -> list[str] | None:
        if not self.variables:
            return list(self.values)
        found = [expand(value, context, self.operator.wildcards) for value in self.values]
        return None if None in found else [value for value in found if value is not None]

    def _single(self, value: str, values: list[str]) -> bool:
        matches = any(self.operator.test(value, wanted) for wanted in values)
        return matches is not self.operator.negated


@dataclass(frozen=True, slots=True)
class _Presence:
    """`Null`: whether the key is absent, as the policy says it shall be."""

    key: str
    absent: bool

    def holds(self, context: Context) -> bool:
        return (not context.get(self.key)) is self.absent


def expand(text: str, context: Context, wildcards: bool) -> str | None:
    """Replace policy variables by values of the request.

    Args:
        text: With `${KEY}`, `${KEY, 'DEFAULT'}`, `${*}`, `${?}` and `${$}`.
        context: The request's.
        wildcards: Whether the result is a pattern. Then characters of a value stand for
            themselves: no page of IAM says that a value's `*` matches anything.

    Returns:
        The text; `None` where a variable has no value, or several.
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
    """Return a pattern that matches this text alone."""
    return "".join(f"${{{char}}}" if char in _SPECIAL else char for char in text)


def parse_conditions(block: object, *, variables: bool = True) -> tuple[Condition, ...]:
    """Read a Condition element; every member must hold.

    Args:
        variables: Whether the policy's Version has policy variables. In an older one `${...}` is
            text like any other.

    Raises:
        ValueError: It is no Condition element, or has an operator that IAM does not have.
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
    values = _values(key, wanted)
    if name == "Null":
        flags = {value.casefold() for value in values}
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
        values = tuple(value.replace("$", "${$}") for value in values)
    expands = variables and operator.variables and any("${" in value for value in values)
    if_exists = rest.endswith("IfExists")
    return _Comparison(operator, qualifier, if_exists, key.lower(), values, expands)


def _values(key: str, wanted: Any) -> tuple[str, ...]:
    items = wanted if isinstance(wanted, list) else [wanted]
    values = []
    for item in items:
        if isinstance(item, bool):
            item = str(item).lower()
        if not isinstance(item, (str, int, float)):
            raise ValueError(f"Condition key {key} has a value that is not a string: {item!r}.")
        values.append(str(item))
    return tuple(values)
