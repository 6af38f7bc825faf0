"""Permissions policies: identity-based policies of users and roles, and session policies.

Written from the IAM user guide: "Grammar of the IAM JSON policy language", "IAM JSON policy
elements: Resource" and "Policy evaluation logic". Messages are those that users of IAM and STS
report.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .conditions import Context, expand
from .operators import glob
from .policies import PolicyError, Statement, one_of, read, texts

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
class _Resources:
    """The Resource or NotResource element of a statement."""

    patterns: tuple[str, ...]
    all_but: bool
    variables: bool

    def cover(self, resource: str, context: Context) -> bool:
        return self._name(resource, context) is not self.all_but

    def _name(self, resource: str, context: Context) -> bool:
        for pattern in self.patterns:
            expanded = expand(pattern, context, wildcards=True) if self.variables else pattern
            if expanded is not None and _arns(expanded).fullmatch(resource):
                return True
        return False


class Permissions:
    """A parsed permissions policy.

    Args:
        document: The policy, as an object or as JSON text.

    Raises:
        PolicyError: IAM rejects the document.
    """

    def __init__(self, document: Mapping[str, Any] | str) -> None:
        statements = read(document, members=_MEMBERS, prohibited=_PROHIBITED, sid=_SID)
        self._statements = [(statement, _resources(statement)) for statement in statements]

    def effects(self, action: str, resource: str, context: Context) -> set[bool]:
        """Return `True` if a statement allows the request, `False` if a statement denies it."""
        return {
            statement.allows
            for statement, resources in self._statements
            if resources.cover(resource, context) and statement.applies(action, context)
        }


def allowed(policies: Iterable[Permissions], action: str, resource: str, context: Context) -> bool:
    """Return whether any policy allows the request."""
    return any(True in policy.effects(action, resource, context) for policy in policies)


def denied(policies: Iterable[Permissions], action: str, resource: str, context: Context) -> bool:
    """Return whether any policy denies the request: "an explicit deny overrides the allow"."""
    return any(False in policy.effects(action, resource, context) for policy in policies)


def _resources(statement: Statement) -> _Resources:
    """Check the actions of a statement, and read its resources."""
    if not all(_ACTION.fullmatch(name) for name in statement.actions.names):
        raise PolicyError(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    raw = statement.raw
    member = one_of(raw, "Resource", "NotResource", "Policy statement must contain resources.")
    patterns = texts(raw[member], member)
    for pattern in patterns:
        if not _RESOURCE.fullmatch(pattern):
            raise PolicyError(f'Resource {pattern} must be in ARN format or "*".')
    return _Resources(tuple(patterns), member == "NotResource", statement.variables)


@functools.lru_cache(maxsize=256)
def _arns(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of an ARN.

    "You can use wildcard characters within the individual segments of an ARN ... If the * wildcard
    is the last character of a resource ARN segment, it can expand to match beyond the colon
    boundaries."
    """
    segments = pattern.split(":", 5)
    parts = [
        glob(segment.removesuffix("*"), "[^:]").pattern + ".*" * segment.endswith("*")
        for segment in segments[:5]
    ]
    parts += [glob(resource).pattern for resource in segments[5:]]  # may contain colons
    return re.compile(":".join(parts), re.DOTALL)
