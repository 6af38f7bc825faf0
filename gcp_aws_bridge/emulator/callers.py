"""Callers of AWS (users, role sessions, federated users) and their access keys.

Written from the IAM user guide: "AWS JSON policy elements: Principal", "IAM policy elements:
Variables and tags" and "Session policies".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .permissions import Permissions
from .trust import Principal

__all__ = ["Caller", "Key", "Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """Properties of a session with temporary credentials.

    Attributes:
        policies: Session policies; `None`: no session policies.
        tags: Session tags.
        transitive: Keys of the tags that chained sessions inherit, as spelled in the request.
        source_identity: Source identity, which is set once in a chain.
        provider: Identity provider, for sessions from a web identity token.
        token_size: Minimum size of the session token, in bytes.
    """

    policies: tuple[Permissions, ...] | None = field(default=None, repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()
    source_identity: str | None = None
    provider: str | None = None
    token_size: int = 0

    @property
    def inherited_tags(self) -> dict[str, str]:
        """Tags that sessions inherit that are requested with the credentials of this session.

        "Tag key-value pairs are not case sensitive, but case is preserved" (AssumeRole).
        """
        keys = {key.lower() for key in self.transitive}
        return {name: text for name, text in self.tags.items() if name.lower() in keys}


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity that signs a request: a user, a role session, or a federated user."""

    arn: str
    user_id: str
    account: str
    partition: str
    role_arn: str | None = None
    session: Session = field(default=Session(), repr=False)
    federated_by: str | None = None

    @property
    def kind(self) -> Literal["AssumedRole", "FederatedUser", "User"]:
        """The value of `aws:PrincipalType` (IAM user guide, "Principal key values")."""
        if self.role_arn is not None:
            return "AssumedRole"
        return "User" if self.federated_by is None else "FederatedUser"

    @property
    def entity(self) -> str:
        """ARN of the user or role whose identity-based policies apply."""
        return self.role_arn or self.federated_by or self.arn

    def principal(self, trusted: Mapping[str, str]) -> Principal:
        """Return the names of this caller in a trust policy.

        Args:
            trusted: Unique ids of the users and roles in the policy. A user or role that was
                deleted and created again has another id.
        """
        own_id = self.user_id.partition(":")[0]
        names = {"*", self.account, f"arn:{self.partition}:iam::{self.account}:root", self.arn}
        if self.role_arn:
            names.add(self.role_arn)
        return Principal(
            "AWS", frozenset(name for name in names if trusted.get(name, own_id) == own_id)
        )


@dataclass(frozen=True, slots=True)
class Key:
    """An access key. Its repr shows neither the secret key nor the token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)
    expiration: datetime | None
    caller: Caller
    issued: datetime | None = None
