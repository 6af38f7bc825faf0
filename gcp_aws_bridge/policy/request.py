"""A request for a chained role (AssumeRole), and the condition keys that IAM derives from it.

Sources: AWS STS API reference, AssumeRole (the parameters and their limits); IAM user guide, "IAM
and AWS STS condition context keys", available keys for AWS STS, "AWS global condition context
keys", "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles"
(which requests need `sts:TagSession` and `sts:SetSourceIdentity`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from gcp_aws_bridge.exceptions import ConfigError, quoted

from .claims import Value
from .names import EXTERNAL_ID, ROLE_ARN, SESSION_NAME, is_name

__all__ = ["ANY", "ASSUME", "SET_SOURCE_IDENTITY", "TAG", "AssumeRoleRequest", "Caller", "refuse"]

ASSUME, TAG, SET_SOURCE_IDENTITY = "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"

# AWS STS API reference, Tag: [\p{L}\p{Z}\p{N}_.:/=+\-@], in which tabs and line breaks are not.
_TAG = re.compile(r"[\w \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@]*")
_MOST_TAGS = 50

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
        _check("caller", self.caller, ROLE_ARN, "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME")
        for name, rule, wanted in (
            ("external_id", EXTERNAL_ID, "2 to 1,224 of A-Z a-z 0-9 and _+=,.@:/-"),
            ("source_identity", rf"\*|{SESSION_NAME}", "2 to 64 of A-Z a-z 0-9 and _+=,.@-"),
            ("role_session_name", SESSION_NAME, "2 to 64 of A-Z a-z 0-9 and _+=,.@-"),
        ):
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), rule, wanted)
        for tags in (self.tags, self.inherited_tags):
            _check_tags(tags)
        keys = self.transitive_tag_keys
        if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
            refuse(f"transitive_tag_keys is {quoted(keys)}.", "pass a list, even of one key.")
        if unknown := [key for key in keys if key.lower() not in _lower(self.tags)]:
            refuse(
                f"The transitive tag key {quoted(unknown[0])} is not the key of a tag that is "
                "passed.",
                "pass the tag as well.",
            )
        if again := _lower(self.tags) & _lower(self.inherited_tags):
            refuse(
                f"The tag {quoted(min(again))} is inherited from the caller's session, and cannot "
                "be passed again.",
                "omit it.",
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
        """What has the keys, for messages."""
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


def refuse(problem: str, fix: str) -> NoReturn:
    """Raise the error for a request that STS rejects."""
    raise ConfigError(problem, fix=fix, error_id="config/assume-role-request")


def _optional(text: str | None, parameter: str) -> Value:
    if text == ANY:
        return Value((), parameter, f"the {parameter} may have any value")
    return Value(() if text is None else (text,), parameter)


def _check(name: str, value: object, rule: str, wanted: str) -> None:
    if not is_name(rule, value):
        refuse(f"{name} is {quoted(value)}.", f"pass {wanted}.")


def _check_tags(tags: Mapping[str, str]) -> None:
    if not isinstance(tags, Mapping):
        refuse(f"{quoted(tags)} is not a mapping of tags.", "pass keys and values.")
    for key, value in tags.items():
        if (
            not _is_tag(key, 1, 128)
            or key.lower().startswith("aws:")
            or not (value == ANY or _is_tag(value, 0, 256))
        ):
            refuse(
                f"{quoted(key)}={quoted(value)} is not a session tag.",
                "use a key of 1 to 128 and a value of up to 256 letters, digits, spaces and "
                "_.:/=+-@; keys do not begin with aws:.",
            )
    if len(tags) > _MOST_TAGS or len(_lower(tags)) < len(tags):
        refuse(
            f"{len(tags)} tags, or two whose keys differ only in case: {quoted(', '.join(tags))}.",
            f"pass up to {_MOST_TAGS} tags; keys are not case-sensitive.",
        )


def _is_tag(text: object, least: int, most: int) -> bool:
    return isinstance(text, str) and least <= len(text) <= most and bool(_TAG.fullmatch(text))


def _lower(tags: Mapping[str, str]) -> set[str]:
    return {key.lower() for key in tags}
