"""Trust policies: which principals may assume a role.

Written from the IAM user guide: "Grammar of the IAM JSON policy language", "AWS JSON policy
elements: Principal", "Access Analyzer policy check reference" ("Invalid federated principal syntax
in role trust policy", "Role trust policy syntax error notprincipal"), "IAM and AWS STS quotas" and
"Policy evaluation logic" (an explicit Deny wins; without an Allow, access is denied); and from the
service authorization reference of AWS STS. Invalid policies are rejected when the role is created.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .conditions import Context
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
# "Create a role for OpenID Connect federation": four providers are built in; an account creates
# the others.
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
    """The caller, by its names in policies.

    Attributes:
        kind: Member of the Principal element for callers of this kind.
        names: All names of the caller.
    """

    kind: Literal["AWS", "Federated", "Service"]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Principals:
    """The Principal element of a statement."""

    anyone: bool
    by_kind: Mapping[str, frozenset[str]]

    def matching(self, principal: Principal) -> frozenset[str]:
        """Return the names of the caller that the element contains."""
        named = self.by_kind.get(principal.kind, frozenset()) & principal.names
        return named | {"*"} if self.anyone else named


class TrustPolicy:
    """A parsed trust policy.

    Args:
        document: The policy, as an object or as JSON text.

    Raises:
        PolicyError: IAM rejects the document; the message has the reason.
    """

    def __init__(self, document: Mapping[str, Any] | str) -> None:
        statements = read(document, members=_MEMBERS, prohibited=_PROHIBITED, sid=_SID)
        if size(document) > _QUOTA:
            raise PolicyError(f"Cannot exceed quota for ACLSizePerRole: {_QUOTA}", "LimitExceeded")
        for statement in statements:
            _check_actions(statement.actions)
        self._statements = [
            (statement, _principals(statement.raw.get("Principal"))) for statement in statements
        ]

    @property
    def entities(self) -> frozenset[str]:
        """ARNs of the users and roles in the policy. IAM stores their unique ids instead."""
        return frozenset(
            name
            for _, principals in self._statements
            for name in principals.by_kind.get("AWS", ())
            if _ENTITY.fullmatch(name)
        )

    def admitted(self, action: str, principal: Principal, context: Context) -> frozenset[str]:
        """Return the names by which the caller may perform `action`; empty if it may not."""
        allowing: frozenset[str] = frozenset()
        for statement, principals in self._statements:
            names = principals.matching(principal)
            if names and statement.applies(action, context):
                if not statement.allows:
                    return frozenset()
                allowing |= names
        return allowing

    def allows(self, action: str, principal: Principal, context: Context) -> bool:
        """Return whether `principal` may perform `action`, such as `sts:AssumeRole`."""
        return bool(self.admitted(action, principal, context))


def _check_actions(actions: Actions) -> None:
    for name in () if actions.all_but else actions.names:
        if not any(Actions((name,), all_but=False).cover(action) for action in _ROLE_ACTIONS):
            raise PolicyError("AssumeRole policy may only specify STS AssumeRole actions.")


def _principals(raw: object) -> _Principals:
    if raw == "*":
        return _Principals(anyone=True, by_kind={})
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
    return _Principals(anyone=False, by_kind=found)
