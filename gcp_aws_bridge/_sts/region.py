"""Region of the STS endpoint for a role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge.config.regions import partition_of
from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from botocore.session import Session

    from gcp_aws_bridge.config import Role

# For sessions without a region or with a region of another partition: a region of each partition
# that is always enabled (AWS General Reference, "AWS STS endpoints and quotas").
_PARTITION_REGION = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def sts_region(session: Session, role: Role) -> str:
    """Return the role's (first) region, or the session's; see `region_of`."""
    return region_of(role, lambda: session.get_config_variable("region"))


def region_of(role: Role, configured: Callable[[], Any]) -> str:
    """Return the role's (first) region, or the configured one if it is in the role's partition.

    Raises:
        ConfigError: Neither is set, and the partition has no default region here.
    """
    if role.sts_regions:
        return role.sts_regions[0]
    if role.region_name is not None:
        return role.region_name
    region = configured()
    if region and partition_of(region) == role.partition:
        return str(region)
    try:
        return _PARTITION_REGION[role.partition]
    except KeyError:
        raise ConfigError(
            f"No region is known for {role.arn} (partition {role.partition}).",
            fix="give region_name, or set AWS_DEFAULT_REGION to a region of that partition.",
            error_id="config/region",
        ) from None
