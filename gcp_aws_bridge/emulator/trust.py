"""Trust policies: which principal may assume a role, as IAM decides it.

Written from the IAM user guide: "Grammar of the IAM JSON policy language", "AWS JSON policy
elements: Principal", "Access Analyzer policy check reference" ("Invalid federated principal syntax
in role trust policy", "Role trust policy syntax error notprincipal"), "IAM and AWS STS quotas" and
"Policy evaluation logic" (an explicit Deny wins; without an Allow the answer is no); and from the
service authorization reference of AWS STS. What a trust policy may not hold is refused when the
role is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .conditions import Condition, Context
from .policies import Actions, PolicyError, read, size, texts

__all__ = ["Principal", "TrustPolicy"]

# "Role trust policy length: 2048 characters" by default; IAM's name for the quota is from its
# error message.
_QUOTA = 2048

_MEMBERS = frozenset({"Sid", "Effect", "Principal", "Action", "NotAction", "Condition"})
# "You cannot use the NotPrincipal element in an IAM identity-based policy nor in an IAM role trust
# policy" (AWS JSON policy elements: NotPrincipal).
_PROHIBITED = {"NotPrincipal": "AssumeRole policy must not contain NotPrincipal field."}
_SID = re.compile(r".*", re.DOTALL)
_PRINCIPAL_KINDS = ("AWS", "Federated", "Service", "CanonicalUser")
_AWS_PRINCIPAL = re.compile(
    r"\*|\d{12}|arn:aws[\w-]*:(iam::\d{12}:(root|(role|user)/[\w+=,.@/-]+)"
    r"|sts::\d{12}:(assumed-role/[\w+=,.@-]+|federated-user)/[\w+=,.@-]+)",
    re.ASCII,
)
_ENTITY = re.compile(r"arn:aws[\w-]*:iam::\d{12}:(?:role|user)/.+", re.ASCII)
# "Create a role for OpenID Connect federation": four are built in, others are an account's own.
_FEDERATED_PRINCIPAL = re.compile(
    r"accounts\.google\.com|cognito-identity\.amazonaws\.com|graph\.facebook\.com|www\.amazon\.com"
    r"|arn:aws[\w-]*:iam::\d{12}:(oidc|saml)-provider/[^*?]+",
    re.ASCII | re.DOTALL,
)
_NAMES = {"AWS": _AWS_PRINCIPAL, "Federated": _FEDERATED_PRINCIPAL}
# The actions whose resource is a role (service authorization reference, AWS STS).
_ROLE_ACTIONS = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as a policy may name it.

    Attributes:
        kind: The member of the Principal element that names such callers.
        names: Every name that a policy could give this one.
    """

    kind: Literal["AWS", "Federated", "Service"]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    anyone: bool
    principals: Mapping[str, frozenset[str]]
    actions: Actions
    conditions: tuple[Condition, ...]

    def names(self, action: str, principal: Principal, context: Context) -> frozenset[str]:
        """Return the names by which the statement applies to the caller; none if it does not."""
        named = self.principals.get(principal.kind, frozenset()) & principal.names
        if self.anyone:
            named |= {"*"}
        if (
            named
            and self.actions.cover(action)
            and all(condition.holds(context) for condition in self.conditions)
        ):
            return named
        return frozenset()


class TrustPolicy:
    """A parsed trust policy.

    Args:
        document: The policy, as an object or as JSON text.

    Raises:
        PolicyError: IAM refuses the document; the message says why.
    """

    def __init__(self, document: Mapping[str, Any] | str) -> None:
        found = read(document, members=_MEMBERS, prohibited=_PROHIBITED, sid=_SID)
        if size(document) > _QUOTA:
            raise PolicyError(f"Cannot exceed quota for ACLSizePerRole: {_QUOTA}", "LimitExceeded")
        self._statements = tuple(_statement(raw, found.conditions(raw)) for raw in found.raw)

    @property
    def entities(self) -> frozenset[str]:
        """The users and roles that it names; IAM keeps their unique ids instead."""
        return frozenset(
            name
            for statement in self._statements
            for name in statement.principals.get("AWS", ())
            if _ENTITY.fullmatch(name)
        )

    def admitted(self, action: str, principal: Principal, context: Context) -> frozenset[str]:
        """Return the names by which the caller may do `action`; none where it may not."""
        allowing: frozenset[str] = frozenset()
        for statement in self._statements:
            names = statement.names(action, principal, context)
            if names and not statement.allows:
                return frozenset()
            allowing |= names
        return allowing

    def allows(self, action: str, principal: Principal, context: Context) -> bool:
        """Tell whether `principal` may do `action` (such as "sts:AssumeRole")."""
        return bool(self.admitted(action, principal, context))


def _statement(raw: Mapping[str, Any], conditions: tuple[Condition, ...]) -> _Statement:
    anyone, principals = _principals(raw.get("Principal"))
    actions = Actions.of(raw)
    for name in texts(raw["Action"], "Action") if "Action" in raw else ():
        if not any(Actions.of({"Action": name}).cover(action) for action in _ROLE_ACTIONS):
            raise PolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
    return _Statement(raw["Effect"] == "Allow", anyone, principals, actions, conditions)


def _principals(raw: object) -> tuple[bool, dict[str, frozenset[str]]]:
    if raw == "*":
        return True, {}
    if not isinstance(raw, Mapping) or not raw:
        raise PolicyError("Missing required field Principal")
    found: dict[str, frozenset[str]] = {}
    for kind, value in raw.items():
        if kind not in _PRINCIPAL_KINDS:
            raise PolicyError(f"Invalid principal in policy: {kind!r}")
        names = texts(value, kind)
        for name in names:
            # "You cannot use a wildcard to match part of a principal name or ARN."
            known = _NAMES.get(kind)
            if "*" in name if known is None else not known.fullmatch(name):
                raise PolicyError(f'Invalid principal in policy: "{kind}":"{name}"')
        found[kind] = frozenset(names)
    return False, found
