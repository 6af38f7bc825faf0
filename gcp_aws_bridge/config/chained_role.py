"""`ChainedRole`: a chained role with settings of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from gcp_aws_bridge._value import Value, value
from gcp_aws_bridge.config import checks
from gcp_aws_bridge.config._tags import checked_tags, checked_transitive_keys
from gcp_aws_bridge.config.checks import listed
from gcp_aws_bridge.exceptions import ConfigError, quoted


@value(frozen=True)
class ChainedRole(Value):
    """Chained role with settings of its own, for `chain`. Checked on creation.

    Stands in `chain` where the ARN alone is not enough, for example because the role's owner
    requires an external ID. Holds no secret, and pickles: AWS does not treat the external ID as a
    secret (IAM user guide, "Access to AWS accounts owned by third parties").

    Args:
        arn: The role, which is assumed with the credentials of the previous role.
        external_id: Value of `sts:ExternalId` in the role's trust policy; 2 to 1224 of
            `[\\w+=,.@:/-]`.
        tags: Session tags, a mapping of at most 50 keys to values. AWS ignores the case of keys.
        transitive_tag_keys: Keys of *tags* that the sessions of all later roles inherit. A later
            role cannot have a tag with such a key.
        source_identity: Name in CloudTrail that all later roles inherit and cannot change; 2 to 64
            of `[\\w+=,.@-]`.
        role_session_name: Name of this role's session. None: that of the `Role`.
        duration_seconds: 900 to 3600, at most what the role allows. None: that of the `Role`.
        policy: Session policy of this role. For a role that is not the last, it must allow
            `sts:AssumeRole` on the next. None: for the last role that of the `Role`, otherwise
            none.
        policy_arns: Up to 10 managed policies, with the same effect.

    Raises:
        ConfigError: STS would reject a value.
    """

    __module__ = "gcp_aws_bridge.config"  # the public name, which pickles contain

    arn: str
    external_id: str | None = None
    tags: Mapping[str, str] | None = None  # kept as an immutable mapping, or None if empty
    transitive_tag_keys: Sequence[str] = ()  # kept as a sorted tuple, as *tags* spells them
    source_identity: str | None = None
    role_session_name: str | None = None
    duration_seconds: int | None = None
    policy: str | Mapping[str, Any] | None = None  # kept as compact JSON text
    policy_arns: Sequence[str] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__  # the dataclass is frozen
        checks.check_role_arn(self.arn)
        checks.check_external_id(self.external_id, self.arn)
        tags = checked_tags(self.tags, self.arn)
        put(self, "tags", tags)
        keys = listed("transitive_tag_keys", self.transitive_tag_keys, "keys")
        put(self, "transitive_tag_keys", checked_transitive_keys(keys, tags, self.arn))
        checks.check_source_identity(self.source_identity, self.arn)
        if self.role_session_name is not None:
            checks.check_session_name(self.role_session_name)
        if self.duration_seconds is not None:
            checks.check_duration(self.duration_seconds, chained=True)
        put(self, "policy", checks.policy_text(self.policy))
        put(self, "policy_arns", listed("policy_arns", self.policy_arns))
        checks.check_policy_arns(self.policy_arns)


def checked_chain(chain: Sequence[Any], *, has_policies: bool) -> tuple[str | ChainedRole, ...]:
    """Return *chain* with a `ChainedRole` for each mapping, and an ARN for roles without settings.

    Equal requests share credentials, and programs that read `Role.chain` find the ARNs that they
    have passed.

    Args:
        has_policies: Whether the `Role` has session policies, which apply to the last role.

    Raises:
        ConfigError: An item is no chained role, or the settings of the roles contradict each other.
    """
    roles = [one if isinstance(one, ChainedRole) else _chained_role(one) for one in chain]
    _check_inherited_tags(roles)
    _check_source_identities(roles)
    last = roles[-1]
    if has_policies and (last.policy or last.policy_arns):
        raise ConfigError(
            f"{last.arn}, the last role of the chain, has session policies of its own, and so has "
            "the Role: its policies apply to the same session, which would have the permissions of "
            "both.",
            fix="put all session policies into the last ChainedRole, or all into the Role.",
            error_id="config/chain-policy",
        )
    return tuple(one.arn if one == ChainedRole(one.arn) else one for one in roles)


def as_chained_role(item: str | ChainedRole) -> ChainedRole:
    """Return an item of `Role.chain` as a `ChainedRole`."""
    return ChainedRole(item) if isinstance(item, str) else item


def chain_text(chain: Sequence[str | ChainedRole]) -> str:
    """Return a chain as a setting: ARNs with commas, or JSON if a role has settings of its own."""
    if all(isinstance(one, str) for one in chain):
        return ",".join(map(str, chain))
    return json.dumps([one if isinstance(one, str) else _plain(one) for one in chain])


def _plain(role: ChainedRole) -> dict[str, Any]:
    found = {one.name: getattr(role, one.name) for one in fields(role)}
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in found.items()
        if value
    }


def _chained_role(item: Any) -> ChainedRole:
    if not isinstance(item, Mapping):
        return ChainedRole(item)  # an ARN, or an error that shows what it is
    names = [one.name for one in fields(ChainedRole)]
    if unknown := [name for name in item if name not in names]:
        raise _malformed(f"{quoted(unknown[0])} is no setting of a chained role", names)
    if "arn" not in item:
        raise _malformed("the ARN of a role is missing", names)
    return ChainedRole(**item)


def _malformed(seen: str, names: list[str]) -> ConfigError:
    return ConfigError(
        f"A role in the chain is malformed: {seen}.",
        fix=f"write an ARN, or a mapping with arn and any of {', '.join(names[1:])}.",
        error_id="config/chain",
    )


def _check_inherited_tags(chain: list[ChainedRole]) -> None:
    inherited: dict[str, str] = {}  # key in lower case, and the role that made it transitive
    for one in chain:
        for key in one.tags or ():
            if origin := inherited.get(key.lower()):
                raise ConfigError(
                    f"{one.arn} has the tag {quoted(key)}, which it inherits from {origin}: AWS "
                    "rejects a tag that an earlier role of the chain made transitive.",
                    fix=f"omit the tag for {one.arn}, or the key in the transitive_tag_keys of the "
                    "earlier role.",
                    error_id="config/transitive-tags",
                )
        inherited.update({key.lower(): one.arn for key in one.transitive_tag_keys})


def _check_source_identities(chain: list[ChainedRole]) -> None:
    setting = [one for one in chain if one.source_identity is not None]
    for one in setting[1:]:
        if one.source_identity != setting[0].source_identity:
            raise ConfigError(
                f"The source identity for {one.arn} is {quoted(one.source_identity)}, and "
                f"{quoted(setting[0].source_identity)} for an earlier role of the chain: AWS "
                "accepts no other value once it is set.",
                fix="set it for the first chained role only; all later roles inherit it.",
                error_id="config/source-identity",
            )
