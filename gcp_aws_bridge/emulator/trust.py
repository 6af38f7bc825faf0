"""Trust policies: which principal may assume a role, as IAM decides it.

Written from the IAM user guide: "Grammar of the IAM JSON policy language", "AWS JSON policy
elements: Principal", "Access Analyzer policy check reference" ("Invalid federated principal syntax
in role trust policy") and "Policy evaluation logic" (an explicit Deny wins; without an Allow the
answer is no). Only what a role's trust policy may hold; anything else is refused when the role is
made, as IAM's `MalformedPolicyDocument`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .conditions import Condition, Context, glob, parse_conditions

__all__ = ["Principal", "TrustPolicy"]

_MEMBERS = frozenset({"Sid", "Effect", "Principal", "Action", "Condition"})
_PRINCIPAL_KINDS = ("AWS", "Federated", "Service", "CanonicalUser")
_VERSIONS = ("2012-10-17", "2008-10-17")
_AWS_PRINCIPAL = re.compile(
    r"\*|\d{12}|arn:aws[\w-]*:(iam::\d{12}:(root|(role|user)/[\w+=,.@/-]+)"
    r"|sts::\d{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+)",
    re.ASCII,
)
# "Create a role for OpenID Connect federation": four are built in, others are an account's own.
_FEDERATED_PRINCIPAL = re.compile(
    r"accounts\.google\.com|cognito-identity\.amazonaws\.com|graph\.facebook\.com|www\.amazon\.com"
    r"|arn:aws[\w-]*:iam::\d{12}:(oidc|saml)-provider/[^*?]+",
    re.ASCII | re.DOTALL,
)
_NAMES = {"AWS": _AWS_PRINCIPAL, "Federated": _FEDERATED_PRINCIPAL}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        kind: How a policy names such callers.
        names: Every name that a policy could give this one.
    """

    kind: Literal["AWS", "Federated", "Service"]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    anyone: bool
    principals: Mapping[str, frozenset[str]]
    actions: tuple[re.Pattern[str], ...]
    conditions: tuple[Condition, ...]

    def matches(self, action: str, principal: Principal, context: Context) -> bool:
        named = self.principals.get(principal.kind, frozenset())
        return (
            (self.anyone or not named.isdisjoint(principal.names))
            and any(pattern.fullmatch(action.lower()) for pattern in self.actions)
            and all(condition.holds(context) for condition in self.conditions)
        )


class TrustPolicy:
    """A parsed trust policy.

    Args:
        document: The policy, as an object or as JSON text.

    Raises:
        ValueError: IAM would refuse the document, or it needs something that the emulator does
            not evaluate; the message says what.
    """

    def __init__(self, document: Mapping[str, Any] | str) -> None:
        loaded = json.loads(document) if isinstance(document, str) else document
        if not isinstance(loaded, Mapping):
            raise ValueError("A trust policy is a JSON object.")
        if unknown := set(loaded) - {"Version", "Id", "Statement"}:
            raise ValueError(f"A trust policy has no member {min(unknown)}.")
        if loaded.get("Version", _VERSIONS[1]) not in _VERSIONS:
            raise ValueError(f"Version must be one of {_VERSIONS}, not {loaded['Version']!r}.")
        statements = _listed(loaded.get("Statement", []))
        if not statements:
            raise ValueError("A trust policy needs at least one Statement.")
        variables = loaded.get("Version") == _VERSIONS[0]
        self._statements = tuple(_statement(statement, variables) for statement in statements)

    def allows(self, action: str, principal: Principal, context: Context) -> bool:
        """Tell whether `principal` may do `action` (such as "sts:AssumeRole")."""
        matching = [s for s in self._statements if s.matches(action, principal, context)]
        return bool(matching) and all(statement.allows for statement in matching)


def _statement(raw: object, variables: bool) -> _Statement:
    if not isinstance(raw, Mapping):
        raise ValueError("Each Statement is a JSON object.")
    if unknown := set(raw) - _MEMBERS:
        # IAM: "Has prohibited field Resource", and the like.
        raise ValueError(f"Has prohibited field {min(unknown)}.")
    if raw.get("Effect") not in ("Allow", "Deny"):
        raise ValueError(f"Effect must be Allow or Deny, not {raw.get('Effect')!r}.")
    anyone, principals = _principals(raw.get("Principal"))
    return _Statement(
        allows=raw["Effect"] == "Allow",
        anyone=anyone,
        principals=principals,
        actions=tuple(_action(name) for name in _listed(raw.get("Action", []))) or _no_action(),
        conditions=parse_conditions(raw.get("Condition", {}), variables=variables),
    )


def _principals(raw: object) -> tuple[bool, dict[str, frozenset[str]]]:
    if raw == "*":
        return True, {}
    if not isinstance(raw, Mapping) or not raw:
        raise ValueError("Each Statement of a trust policy needs a Principal.")
    found: dict[str, frozenset[str]] = {}
    for kind, value in raw.items():
        names = _listed(value)
        if kind not in _PRINCIPAL_KINDS or not all(isinstance(name, str) for name in names):
            raise ValueError(f"Invalid principal in policy: {kind!r}.")
        for name in names:
            # "You cannot use a wildcard to match part of a principal name or ARN."
            if kind in _NAMES:
                valid = bool(_NAMES[kind].fullmatch(name))
            else:
                valid = bool(name) and "*" not in name
            if not valid:
                raise ValueError(f'Invalid principal in policy: "{kind}":"{name}".')
        found[kind] = frozenset(names)
    return False, found


def _action(name: object) -> re.Pattern[str]:
    if not isinstance(name, str) or not (name == "*" or name.lower().startswith("sts:")):
        raise ValueError("AssumeRole policy may only specify STS AssumeRole actions.")
    return glob(name.lower())  # action names have no case


def _no_action() -> tuple[re.Pattern[str], ...]:
    raise ValueError("Each Statement needs an Action.")


def _listed(value: Any) -> list[Any]:
    """Return a member that may be one item or a list of them."""
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        return list(value)
    return [value]
