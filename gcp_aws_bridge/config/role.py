"""`Role`: a request for AWS credentials, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._value import Value, value
from gcp_aws_bridge.config import checks
from gcp_aws_bridge.config._first_role import DEFAULT_DURATION_S, RoleFields
from gcp_aws_bridge.config.checks import DEFAULT_AUDIENCE, listed

if TYPE_CHECKING:
    from gcp_aws_bridge.config.chained_role import ChainedRole


@value(frozen=True)
class Role(Value, RoleFields):
    """Role to assume, session duration and session policy. Checked on creation.

    Equal roles share one exchange within a process. Holds no secret, and pickles.

    Args:
        arn: The role that trusts the Google identity, `arn:aws:iam::123456789012:role/etl`.
        audience: `aud` of the ID token; `:oaud` in the trust policy. A separate audience for each
            role (`aws:123456789012:etl`) is better than the shared default.
        role_session_name: Name in CloudTrail; 2 to 64 of `[\\w+=,.@-]`. None: the name of the pod
            or host at the time of the exchange.
        duration_seconds: 900 to 43200, at most what the role allows; at most 3600 with a chain.
            Applies to all roles that have no duration of their own.
        region_name: Region of the STS endpoint. None: the session's, or the partition's default.
        chain: The chained roles, in the order in which they are assumed: ARNs, or a `ChainedRole`
            for each with settings of its own (or, as in JSON, a mapping of its fields). A
            `ChainedRole` of nothing but an ARN becomes the ARN.
        policy: Session policy, as JSON text or a mapping, at most 2048 characters: the credentials
            have the permissions that both it and the (last) role allow. A last `ChainedRole` with
            session policies of its own excludes those of the `Role`.
        policy_arns: Up to 10 managed policies, with the same effect.
        sts_regions: Regions of the role's partition whose STS is used instead of *region_name*, in
            order of preference.

    Raises:
        ConfigError: STS would reject a value, or two values contradict each other.
    """

    arn: str
    audience: str = DEFAULT_AUDIENCE
    role_session_name: str | None = None
    duration_seconds: int = DEFAULT_DURATION_S
    region_name: str | None = None
    chain: Sequence[str | ChainedRole] = ()  # kept as a tuple
    policy: str | Mapping[str, Any] | None = None  # kept as compact JSON text
    policy_arns: Sequence[str] = ()
    sts_regions: Sequence[str] = ()  # kept as a tuple

    def __post_init__(self) -> None:
        put = object.__setattr__  # the dataclass is frozen
        put(self, "policy_arns", listed("policy_arns", self.policy_arns))
        put(self, "sts_regions", listed("sts_regions", self.sts_regions, "regions"))
        checks.check_role_arn(self.arn)
        put(self, "policy", checks.policy_text(self.policy))
        checks.check_policy_arns(self.policy_arns)
        has_policies = bool(self.policy or self.policy_arns)
        put(self, "chain", _checked_chain(listed("chain", self.chain), has_policies))
        self._check()


def _checked_chain(chain: tuple[Any, ...], has_policies: bool) -> tuple[str | ChainedRole, ...]:
    if all(isinstance(one, str) for one in chain):
        for arn in chain:
            checks.check_role_arn(arn)
        return chain
    from gcp_aws_bridge.config.chained_role import checked_chain

    return checked_chain(chain, has_policies=has_policies)
