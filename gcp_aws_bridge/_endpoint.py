"""Which STS is asked: the region for a role, and whether the address may be given a token."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gcp_aws_bridge.exceptions import ConfigError, quoted

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


def require_https(url: str) -> None:
    """A token in clear text over a network would be anybody's.

    Raises:
        ConfigError: *url* is neither HTTPS nor plain HTTP to this machine itself.
    """
    if is_confidential(url):
        return
    raise ConfigError(
        f"The STS endpoint is {quoted(url)}; the ID token goes over HTTPS only "
        "(plain HTTP to this machine alone, for emulators).",
        fix="unset AWS_ENDPOINT_URL_STS / AWS_ENDPOINT_URL, or give an https:// address.",
        error_id="config/sts-plain-http",
    )


def is_confidential(url: object) -> bool:
    """Whether nobody on the way can read what is sent to *url*."""
    try:
        scheme, host = urlsplit(str(url)).scheme, urlsplit(str(url)).hostname or ""
    except ValueError:  # brackets without an address in them
        return False
    if "\\" in str(url):  # ends the host for those who send, as a slash does (WHATWG URL standard)
        return False
    return bool(host) and (scheme == "https" or (scheme == "http" and _is_loopback(host)))


def _partition(region: str) -> str:
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
