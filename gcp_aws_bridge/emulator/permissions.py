"""Permissions policies: identity-based policies of users and roles, and session policies.

Written from the IAM user guide: "Grammar of the IAM JSON policy language", "IAM JSON policy
elements: Resource" and "Policy evaluation logic". Messages for malformed policies are those that
users of IAM and STS report.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .conditions import Condition, Context, expand
from .operators import glob
from .policies import Actions, PolicyError, one_of, read, texts

__all__ = ["Permissions", "allowed", "denied"]

_NO_PRINCIPAL = "Policy document should not specify a principal."
_PROHIBITED = {"Principal": _NO_PRINCIPAL, "NotPrincipal": _NO_PRINCIPAL}
_MEMBERS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
# "basic alphanumeric characters (A-Z,a-z,0-9) are the only allowed characters in the Sid value"
_SID = re.compile(r"[0-9A-Za-z]*", re.ASCII)
# "Consists of a service namespace, a colon, and the name of an action."
_ACTION = re.compile(r"\*|(?:\*|[A-Za-z0-9.-]+):[^:]+", re.ASCII)
# "You can't use a wildcard in the service segment" (IAM JSON policy elements: Resource).
_RESOURCE = re.compile(r"\*|arn:(?:\*|aws|aws-[a-z-]+):[a-z0-9-]+(?::.*)?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    actions: Actions
    resources: tuple[str, ...]
    all_but: bool
    variables: bool
    conditions: tuple[Condition, ...]

    def matches(self, action: str, resource: str, context: Context) -> bool:
        return (
            self.actions.cover(action)
            and self._names(resource, context) is not self.all_but
            and all(condition.holds(context) for condition in self.conditions)
        )

    def _names(self, resource: str, context: Context) -> bool:
        for pattern in self.resources:
            wanted = expand(pattern, context, wildcards=True) if self.variables else pattern
            if wanted is not None and _arns(wanted).fullmatch(resource):
                return True
        return False


class Permissions:
    """A parsed permissions policy.

    Args:
        document: The policy, as an object or as JSON text.

    Raises:
        PolicyError: IAM refuses the document.
    """

    def __init__(self, document: Mapping[str, Any] | str) -> None:
        found = read(document, members=_MEMBERS, prohibited=_PROHIBITED, sid=_SID)
        self._statements = tuple(
            _statement(raw, found.variables, found.conditions(raw)) for raw in found.raw
        )

    def effects(self, action: str, resource: str, context: Context) -> set[bool]:
        """Return `True` where a statement allows the request, `False` where one denies it."""
        return {
            statement.allows
            for statement in self._statements
            if statement.matches(action, resource, context)
        }


def allowed(policies: Iterable[Permissions], action: str, resource: str, context: Context) -> bool:
    """Tell whether some policy allows the request."""
    return any(True in policy.effects(action, resource, context) for policy in policies)


def denied(policies: Iterable[Permissions], action: str, resource: str, context: Context) -> bool:
    """Tell whether some policy denies the request: "an explicit deny overrides the allow"."""
    return any(False in policy.effects(action, resource, context) for policy in policies)


def _statement(
    raw: Mapping[str, Any], variables: bool, conditions: tuple[Condition, ...]
) -> _Statement:
    actions = Actions.of(raw)
    for member in ("Action", "NotAction"):
        for name in texts(raw[member], member) if member in raw else ():
            if not _ACTION.fullmatch(name):
                raise PolicyError(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                )
    member = one_of(raw, "Resource", "NotResource", "Policy statement must contain resources.")
    resources = texts(raw[member], member)
    for resource in resources:
        if not _RESOURCE.fullmatch(resource):
            raise PolicyError(f'Resource {resource} must be in ARN format or "*".')
    return _Statement(
        allows=raw["Effect"] == "Allow",
        actions=actions,
        resources=tuple(resources),
        all_but=member == "NotResource",
        variables=variables,
        conditions=conditions,
    )


@functools.lru_cache(maxsize=256)
def _arns(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of a resource.

    "You can use wildcard characters within the individual segments of an ARN ... If the * wildcard
    is the last character of a resource ARN segment, it can expand to match beyond the colon
    boundaries."
    """
    segments = pattern.split(":", 5)
    parts = [
        glob(segment.removesuffix("*"), "[^:]").pattern + ".*" * segment.endswith("*")
        for segment in segments[:5]
    ]
    parts += [glob(resource).pattern for resource in segments[5:]]  # which may have colons
    return re.compile(":".join(parts), re.DOTALL)
