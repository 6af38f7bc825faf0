"""Which region's STS is asked for a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from botocore.session import Session

    from gcp_aws_bridge.config import Role

# Where a session has no region, or one of another partition. AWS General Reference, "AWS STS
# endpoints and quotas": a region of each partition that is always enabled.
_PARTITION_REGION = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# The region patterns of botocore's partitions.json. botocore's own look-up would parse the 2 MB of
# endpoints.json for each session.
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)


def sts_region(session: Session, role: Role) -> str:
    """The role's own choice, else the session's where it lies in the role's partition.

    Raises:
        ConfigError: Neither is given, in a partition whose regions are not known here.
    """
    if role.region_name is not None:
        return role.region_name
    region = session.get_config_variable("region")
    if region and _partition(region) == role.partition:
        return str(region)
    try:
        return _PARTITION_REGION[role.partition]
    except KeyError:
        raise ConfigError(
            f"No region is known for {role.arn} (partition {role.partition}).",
            fix="give region_name, or set AWS_DEFAULT_REGION to a region of that partition.",
            error_id="config/region",
        ) from None


def _partition(region: str) -> str:
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")
