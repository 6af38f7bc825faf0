"""`Role` and `ChainedRole`: a request for AWS credentials, as one value.

Invariant: every `Role` is well-formed. Whatever STS would reject as malformed raises an error here,
before any request.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._pickled import as_settings
from gcp_aws_bridge.config import checks
from gcp_aws_bridge.config.checks import DEFAULT_AUDIENCE, listed
from gcp_aws_bridge.config.regions import check_region, check_sts_regions

if TYPE_CHECKING:
    from gcp_aws_bridge.config.chained_role import ChainedRole

__all__ = ["ChainedRole", "DEFAULT_AUDIENCE", "Role"]  # noqa: RUF022 - by ASCII, as all of them

_DEFAULT_DURATION_S = 3600


@dataclass(frozen=True)
class Role:
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
            order of preference: the next one in an outage of the one before it.

    Raises:
        ConfigError: STS would reject a value, or two values contradict each other.
    """

    arn: str
    audience: str = DEFAULT_AUDIENCE
    role_session_name: str | None = None
    duration_seconds: int = _DEFAULT_DURATION_S
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
        checks.check_audience(self.audience)
        if self.role_session_name is not None:
            checks.check_session_name(self.role_session_name)
        checks.check_duration(self.duration_seconds, chained=bool(self.chain))
        check_region(self.region_name)
        check_sts_regions(
            self.sts_regions, arn=self.arn, partition=self.partition, region_name=self.region_name
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return as_settings(self)

    @property
    def session_name(self) -> str:
        """Value of RoleSessionName for all roles that have no session name of their own."""
        return self.role_session_name or default_session_name()

    @property
    def partition(self) -> str:
        """Partition of the role (`aws`, `aws-cn`, `aws-us-gov`…)."""
        return self.arn.split(":")[1]

    @property
    def arns(self) -> tuple[str, ...]:
        """ARNs of all roles, in the order in which they are assumed."""
        chained = (one if isinstance(one, str) else one.arn for one in self.chain)
        return (self.arn, *chained)

    @property
    def account_id(self) -> str:
        """Account of the credentials, which is that of the last role."""
        return self.arns[-1].split(":")[4]


def _checked_chain(chain: tuple[Any, ...], has_policies: bool) -> tuple[str | ChainedRole, ...]:
    if all(isinstance(one, str) for one in chain):
        for arn in chain:
            checks.check_role_arn(arn)
        return chain
    from gcp_aws_bridge.config.chained_role import checked_chain

    return checked_chain(chain, has_policies=has_policies)


def default_session_name() -> str:
    """Return the name of the pod or host, with characters that AWS accepts."""
    name = re.sub(r"[^\w+=,.@-]+", "-", socket.gethostname(), flags=re.ASCII).strip("-")[:64]
    return name if len(name) >= 2 else "gcp-aws-bridge"


def __getattr__(name: str) -> Any:
    if name != "ChainedRole":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Creating a dataclass takes as long as a hundredth of the first call; few programs use it.
    from gcp_aws_bridge.config.chained_role import ChainedRole

    return ChainedRole
