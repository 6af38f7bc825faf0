"""A request for a chained role (AssumeRole), and the condition keys that IAM derives from it.

Sources: AWS STS API reference, AssumeRole (the parameters and their limits); IAM user guide, "IAM
and AWS STS condition context keys", available keys for AWS STS, "AWS global condition context
keys", "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles"
(which requests need `sts:TagSession` and `sts:SetSourceIdentity`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gcp_aws_bridge.config import Role, checks
from gcp_aws_bridge.config._tags import SessionTags, checked_tags, checked_transitive_keys
from gcp_aws_bridge.config.chained_role import as_chained_role
from gcp_aws_bridge.exceptions import ConfigError, quoted

from .claims import Value

__all__ = [
    "ANY",
    "ASSUME",
    "SET_SOURCE_IDENTITY",
    "TAG",
    "AssumeRoleRequest",
    "Caller",
    "requests_of",
]

ASSUME, TAG, SET_SOURCE_IDENTITY = "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"

ANY = "*"
"""Stands for any value of a tag or a source identity, where a value cannot be `*`."""


@dataclass(frozen=True, kw_only=True)
class AssumeRoleRequest:
    """A request for a chained role. Checked on creation.

    Args:
        caller: ARN of the role before it in the chain, whose credentials sign the request.
        external_id: 2 to 1,224 characters; from the vendor, one for each customer.
        tags: Session tags that the request passes. The value `*` stands for any value.
        transitive_tag_keys: Keys of those tags that later roles of the chain inherit.
        source_identity: Source identity that the request sets or inherits; `*` is any.
        role_session_name: None: not known, such as the name of a pod.
        inherited_tags: Transitive tags of the caller's session.

    Raises:
        ConfigError: STS would reject a value.
    """

    caller: str
    external_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: Sequence[str] = ()
    source_identity: str | None = None
    role_session_name: str | None = None
    inherited_tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.check_role_arn(self.caller)
        whose = f"the role that {self.caller} assumes"
        checks.check_external_id(self.external_id, whose)
        if self.source_identity != ANY:
            checks.check_source_identity(self.source_identity, whose)
        if self.role_session_name is not None:
            checks.check_session_name(self.role_session_name)
        tags = _checked(self.tags, whose)
        inherited = _checked(self.inherited_tags, whose)
        keys = checks.listed("transitive_tag_keys", self.transitive_tag_keys, "keys")
        object.__setattr__(self, "transitive_tag_keys", checked_transitive_keys(keys, tags, whose))
        if again := {key.lower() for key in tags or ()} & {key.lower() for key in inherited or ()}:
            raise ConfigError(
                f"The tag {quoted(min(again))} is passed, and inherited from the caller's session, "
                "which AWS rejects.",
                fix="omit it from the tags that are passed.",
                error_id="config/transitive-tags",
            )

    @property
    def actions(self) -> tuple[str, ...]:
        """Actions that the trust policy must allow, and often the caller's permissions too.

        Users report that inherited tags need `sts:TagSession` as well
        (aws/eks-pod-identity-agent#80).
        """
        tagged = bool(self.tags or self.inherited_tags)
        further = {TAG: tagged, SET_SOURCE_IDENTITY: self.source_identity is not None}
        return (ASSUME, *(action for action, needed in further.items() if needed))

    @property
    def transitive(self) -> tuple[str, ...]:
        """Transitive keys of the requested session, with those that it inherits."""
        return (*self.inherited_tags, *self.transitive_tag_keys)


def requests_of(role: Role) -> list[AssumeRoleRequest]:
    """Return the requests for the roles of `role.chain`, with what each session inherits."""
    found: list[AssumeRoleRequest] = []
    inherited: dict[str, str] = {}
    identity: str | None = None
    for caller, one in zip(role.arns, map(as_chained_role, role.chain), strict=False):
        tags = one.tags or {}
        identity = one.source_identity or identity
        found.append(
            AssumeRoleRequest(
                caller=caller,
                external_id=one.external_id,
                tags=tags,
                transitive_tag_keys=one.transitive_tag_keys,
                source_identity=identity,
                role_session_name=one.role_session_name or role.role_session_name,
                inherited_tags={**inherited},
            )
        )
        inherited |= {key: tags[key] for key in one.transitive_tag_keys}
    return found


class Caller(NamedTuple):
    """Sender of an AssumeRole request, as condition keys.

    Attributes:
        arn: ARN of its role.
        keys: Values by full name in lower case.
        actions: Actions that the request needs.
        inherits: Whether its session has transitive tags.
    """

    arn: str
    keys: Mapping[str, Value]
    actions: tuple[str, ...]
    inherits: bool

    @property
    def noun(self) -> str:
        """Noun for messages about the thing that has the keys."""
        return "request"

    @property
    def account(self) -> str:
        """Account of the role."""
        return self.arn.split(":")[4]

    @property
    def root(self) -> str:
        """ARN that names the account."""
        return f"arn:{self.arn.split(':')[1]}:iam::{self.account}:root"

    @property
    def sessions(self) -> str:
        """Beginning of the ARNs of the role's sessions, which have its name without its path."""
        name = self.arn.rpartition("/")[2]
        return f"arn:{self.arn.split(':')[1]}:sts::{self.account}:assumed-role/{name}/"

    def look_up(self, key: str) -> Value:
        """Return the values of a key."""
        name = key.lower()
        if name in self.keys:
            return self.keys[name]
        if name.startswith("aws:requesttag/"):
            if self.inherits:
                return Value((), "", "AWS does not document whether inherited tags have this key")
            return Value((), "")
        return Value((), "", "the parameters of AssumeRole do not determine this key")

    @classmethod
    def of(cls, request: AssumeRoleRequest) -> Caller:
        """Return the condition keys of a request."""
        inherits = bool(request.inherited_tags)
        keys = {
            "aws:principalarn": Value((request.caller,), "caller", is_arn=True),
            "aws:principalaccount": Value((request.caller.split(":")[4],), "caller's account"),
            "aws:principaltype": Value(("AssumedRole",), "caller's type"),
            "sts:externalid": _optional(request.external_id, "ExternalId"),
            "sts:sourceidentity": _optional(request.source_identity, "SourceIdentity"),
            "sts:transitivetagkeys": Value(request.transitive, "TransitiveTagKeys"),
        }
        if request.role_session_name is not None:
            keys["sts:rolesessionname"] = _optional(request.role_session_name, "RoleSessionName")
        if request.source_identity is None:
            keys["aws:sourceidentity"] = Value((), "")
        if not inherits:
            keys["aws:tagkeys"] = Value(tuple(request.tags), "TagKeys")
        for name, text in request.tags.items():
            keys[f"aws:requesttag/{name.lower()}"] = _optional(text, f"tag {name}")
        for name, text in request.inherited_tags.items():
            keys[f"aws:principaltag/{name.lower()}"] = _optional(text, f"inherited tag {name}")
        return cls(request.caller, keys, request.actions, inherits)


def _optional(text: str | None, parameter: str) -> Value:
    if text == ANY:
        return Value((), parameter, f"the {parameter} may have any value")
    return Value(() if text is None else (text,), parameter)


def _checked(tags: Mapping[str, str], whose: str) -> SessionTags | None:
    """Return the tags after checking them; `*` is replaced, since it stands for any value."""
    if not isinstance(tags, Mapping):
        return checked_tags(tags, whose)
    return checked_tags({key: "" if text == ANY else text for key, text in tags.items()}, whose)
