"""AWS regions: their form, and the partition to which each belongs."""

from __future__ import annotations

from collections.abc import Sequence

from gcp_aws_bridge.config.checks import matches
from gcp_aws_bridge.exceptions import ConfigError, quoted

_REGION = r"[a-z]{2,}(-[a-z]+)+-\d+"
# The region patterns of botocore's partitions.json. botocore's look-up would parse 2 MB of
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


def partition_of(region: str) -> str:
    """Return the partition of *region*, `aws` if it is no region of another one."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def check_region(region: str | None) -> None:
    """Check the name of one region, or None.

    Raises:
        ConfigError: It is not the name of a region.
    """
    if region is not None:
        _check_name(region)


def _check_name(region: str) -> None:
    if not (isinstance(region, str) and matches(_REGION, region)):
        raise ConfigError(
            f"The region is {quoted(region)}; it must look like eu-west-1.",
            fix="pass the name of an AWS region, or omit it.",
            error_id="config/region",
        )


def check_sts_regions(
    regions: Sequence[str], *, arn: str, partition: str, region_name: str | None
) -> None:
    """Check the regions whose STS may be used for the role *arn*.

    Raises:
        ConfigError: One is not a region of the role's partition or is listed twice, or the role
            has a *region_name* too.
    """
    for region in regions:
        _check_name(region)
    if regions and region_name is not None:
        raise _contradiction(
            f"region_name is {quoted(region_name)} and sts_regions is {quoted(', '.join(regions))};"
            " both select the region of STS.",
            "omit region_name, and list the region to use first at the start of sts_regions.",
        )
    if len({*regions}) < len(regions):
        raise _contradiction(
            f"sts_regions is {quoted(', '.join(regions))}; a region is listed twice.",
            "list each region once, the one to use first at the start.",
        )
    others = [region for region in regions if partition_of(region) != partition]
    if others:
        raise _contradiction(
            f"sts_regions has {quoted(others[0])}, which is in the partition "
            f"{partition_of(others[0])}; {arn} is in {partition}.",
            "list regions of the role's partition only; STS of another one does not know the role.",
        )


def _contradiction(seen: str, fix: str) -> ConfigError:
    return ConfigError(seen, fix=fix, error_id="config/sts-regions")
