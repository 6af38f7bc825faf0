"""Which STS is asked: the region for a role, and whether the address may be given a token."""

from __future__ import annotations

import ipaddress
import socket
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
    """Check that *url* is HTTPS, or plain HTTP to this machine.

    Raises:
        ConfigError: A token sent to *url* could be read on the network.
    """
    if is_confidential(url):
        return
    raise ConfigError(
        f"The STS endpoint is {quoted(url)}; the ID token goes over HTTPS only "
        "(plain HTTP to this machine alone, for emulators).",
        fix="unset AWS_ENDPOINT_URL_STS / AWS_ENDPOINT_URL, or give an https:// address.",
        error_id="config/sts-plain-http",
    )


def is_plain_http(url: str) -> bool:
    """Return whether *url* is sent without TLS."""
    try:
        return urlsplit(url).scheme == "http"
    except ValueError:  # brackets without an address in them
        return False


def is_confidential(url: object, proxy: str | None = None, *, forwards: bool = False) -> bool:
    """Return whether traffic to *url* is encrypted end to end or stays on this machine.

    The address does not decide by itself: a proxy reads plain HTTP to loopback, too.

    Args:
        proxy: URL of the proxy that the connection uses. Empty for a direct connection.
        forwards: Whether an HTTPS proxy is sent the request itself, and so terminates TLS, where
            others are sent CONNECT: `proxy_use_forwarding_for_https` of botocore's
            `proxies_config`, `use_forwarding_for_https` of urllib3.
    """
    text = str(url)
    try:
        scheme, host = urlsplit(text).scheme, urlsplit(text).hostname or ""
    except ValueError:  # brackets without an address in them
        return False
    # HTTP clients end the host at a backslash, as at a slash (WHATWG URL standard).
    if not host or "\\" in text:
        return False
    if scheme == "https":
        # urllib3 forwards to HTTPS proxies only (`connection_requires_http_tunnel`).
        return not (forwards and (proxy or "").strip().lower().startswith("https:"))
    # urlsplit removes tabs and line breaks, which HTTP clients take for a part of the host.
    has_blank = any(character <= " " or character == "\x7f" for character in text)
    return scheme == "http" and not proxy and not has_blank and _is_loopback(host)


def _partition(region: str) -> str:
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def _is_loopback(host: str) -> bool:
    """Return whether a connection to *host* stays on this machine.

    `localhost` is a name like any other to the resolver that botocore and requests use, although
    RFC 6761, section 6.3, wants it to be loopback: /etc/hosts or a DNS server may say otherwise.
    """
    if host.rstrip(".") == "localhost":
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return False
        return all(_is_loopback_address(str(address[0])) for *_, address in found)
    return _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # Python decides differently from release to release about ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
