"""Attribute mappings and conditions of workload identity pool providers, in CEL.

Written from Google's IAM reference, `projects.locations.workloadIdentityPools.providers`
(`attributeMapping`, `attributeCondition`: keys, limits, the default for AWS). `assertion.NAME` and
the default for AWS need no library; `cel` evaluates all other expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .cel import Expression, NoValue, cel, extract

__all__ = ["AWS_DEFAULT", "AttributeMapping", "Attributes"]

AWS_DEFAULT: Mapping[str, str] = {
    "google.subject": "assertion.arn",
    "attribute.aws_role": (
        "assertion.arn.contains('assumed-role')"
        " ? assertion.arn.extract('{account_arn}assumed-role/')"
        "   + 'assumed-role/'"
        "   + assertion.arn.extract('assumed-role/{role_name}/')"
        " : assertion.arn"
    ),
}
"""Default mapping of an AWS provider, from the reference."""

Attributes = Mapping[str, "str | tuple[str, ...]"]
"""Mapped values by attribute; only `google.groups` is a list."""

# "a maximum of 50 custom attributes", "100 characters", "[a-z0-9_]"; 2048 and 4096 characters.
_MOST_CUSTOM = 50
_KEY = re.compile(r"google\.(subject|groups)|attribute\.[a-z0-9_]{1,100}")
_MAPPING_LIMIT = 2048
_CONDITION_LIMIT = 4096

_PLAIN = re.compile(r"\s*assertion\.([A-Za-z_]\w*)\s*", re.ASCII)


class AttributeMapping:
    """Attribute mapping and attribute condition of a provider.

    Args:
        mapping: CEL expressions by attribute.
        condition: CEL expression that must be true; `None`: no condition.

    Raises:
        ValueError: Google rejects an expression, or cel-python is needed and not installed.
    """

    def __init__(self, mapping: Mapping[str, str], condition: str | None = None) -> None:
        if "google.subject" not in mapping:
            raise ValueError("An attribute mapping needs google.subject.")
        if wrong := [key for key in mapping if not _KEY.fullmatch(key)]:
            raise ValueError(f"{wrong[0]!r} is not a valid attribute name.")
        if sum(key.startswith("attribute.") for key in mapping) > _MOST_CUSTOM:
            raise ValueError(f"A mapping has at most {_MOST_CUSTOM} custom attributes.")
        self._mapping = {
            key: _compile(text, ("assertion",), _MAPPING_LIMIT) for key, text in mapping.items()
        }
        self._condition = (
            None
            if condition is None
            else _compile(condition, ("assertion", "google", "attribute"), _CONDITION_LIMIT)
        )

    def attributes(self, assertion: Mapping[str, Any]) -> Attributes:
        """Return the mapped attributes. Attributes without a value are omitted."""
        found: dict[str, str | tuple[str, ...]] = {}
        for key, expression in self._mapping.items():
            try:
                value = expression({"assertion": assertion})
            except NoValue:
                continue
            wanted = tuple if key == "google.groups" else str
            if isinstance(value, wanted) and value:
                found[key] = value
        return found

    def admits(self, assertion: Mapping[str, Any], attributes: Attributes) -> bool:
        """Return whether the condition holds. A condition that cannot be evaluated does not."""
        if self._condition is None:
            return True
        names: dict[str, Any] = {"assertion": assertion, "google": {}, "attribute": {}}
        for key, value in attributes.items():
            group, _, name = key.partition(".")
            names[group][name] = list(value) if isinstance(value, tuple) else value
        try:
            return self._condition(names) is True
        except NoValue:
            return False


def _compile(text: str, names: tuple[str, ...], limit: int) -> Expression:
    if len(text) > limit:
        raise ValueError(f"An expression has {len(text)} characters; the limit is {limit}.")
    if plain := _PLAIN.fullmatch(text):
        return _member(plain[1])
    if " ".join(text.split()) == " ".join(AWS_DEFAULT["attribute.aws_role"].split()):
        return _aws_role
    return cel(text, names)


def _member(name: str) -> Expression:
    def value(names: Mapping[str, Any]) -> Any:
        try:
            found = names["assertion"][name]
        except KeyError:
            raise NoValue from None
        return tuple(found) if isinstance(found, list) else found

    return value


def _aws_role(names: Mapping[str, Any]) -> str:
    arn = str(names["assertion"]["arn"])
    if "assumed-role" not in arn:
        return arn
    account = extract(arn, "{account_arn}assumed-role/")
    return f"{account}assumed-role/{extract(arn, 'assumed-role/{role_name}/')}"
