"""The fields of a role for short commands, and what they have in common with `Role`.

Creating a dataclass takes as long as a quarter of such a command.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from gcp_aws_bridge.config import checks
from gcp_aws_bridge.config.checks import DEFAULT_AUDIENCE, listed
from gcp_aws_bridge.config.regions import check_region, check_sts_regions

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from gcp_aws_bridge.config.chained_role import ChainedRole

DEFAULT_DURATION_S = 3600


class RoleFields:
    """Checks of the fields, and what follows from them; see `Role`."""

    if TYPE_CHECKING:
        arn: str
        audience: str
        role_session_name: str | None
        duration_seconds: int
        region_name: str | None
        chain: Sequence[str | ChainedRole]
        sts_regions: Sequence[str]

    def _check(self) -> None:
        """Check the fields, except ARN, chain and session policies.

        Raises:
            ConfigError: STS would reject a value, or two values contradict each other.
        """
        checks.check_audience(self.audience)
        if self.role_session_name is not None:
            checks.check_session_name(self.role_session_name)
        checks.check_duration(self.duration_seconds, chained=bool(self.chain))
        check_region(self.region_name)
        check_sts_regions(
            self.sts_regions, arn=self.arn, partition=self.partition, region_name=self.region_name
        )

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


class FirstRole(RoleFields):
    """A `Role` without a chain and session policies. Not hashable, and not for users.

    Raises:
        ConfigError: STS would reject a value.
    """

    region_name: str | None = None
    chain: Sequence[str | ChainedRole] = ()
    policy: str | None = None
    policy_arns: Sequence[str] = ()

    def __init__(
        self,
        arn: str,
        audience: str = DEFAULT_AUDIENCE,
        role_session_name: str | None = None,
        duration_seconds: int = DEFAULT_DURATION_S,
        sts_regions: Sequence[str] = (),
    ) -> None:
        self.sts_regions = listed("sts_regions", sts_regions, "regions")
        checks.check_role_arn(arn)
        self.arn, self.audience, self.duration_seconds = arn, audience, duration_seconds
        self.role_session_name = role_session_name
        self._check()


def default_session_name() -> str:
    """Return the name of the pod or host, with characters that AWS accepts."""
    name = re.sub(r"[^\w+=,.@-]+", "-", socket.gethostname(), flags=re.ASCII).strip("-")[:64]
    return name if len(name) >= 2 else "gcp-aws-bridge"
