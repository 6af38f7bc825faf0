"""Options that `inject` and `webhook` share: the settings of a cluster."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_aws_bridge.inject import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--image",
        default="",
        help="image of the sidecars (docs/kubernetes); only the methods google and google-serve "
        "need it",
    )
    parser.add_argument(
        "--annotation-prefix",
        action="append",
        type=_prefix,
        metavar="PREFIX",
        help="prefix of the annotations: gcp-aws-bridge (default), eks.amazonaws.com, or "
        "amazonaws.com for those of gtoken; may be repeated, the first takes precedence",
    )
    parser.add_argument(
        "--region", help="AWS region of pods without the annotation for a region (default: none)"
    )
    parser.add_argument(
        "--status-host",
        metavar="ADDRESS",
        default="0.0.0.0",
        help="address on which probes are answered, :: on an IPv6-only cluster "
        "(default: %(default)s)",
    )


def _prefix(text: str) -> str:
    # Kubernetes, "Annotations", section "Syntax and character set": a DNS subdomain.
    if not re.fullmatch("[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"it must be a name such as eks.amazonaws.com: {text!r}")
    return text


def settings_of(options: argparse.Namespace, *, native_sidecars: bool) -> Settings:
    """Return the settings of the cluster.

    Raises:
        ConfigError: The region is malformed.
    """
    from gcp_aws_bridge.config.regions import check_region
    from gcp_aws_bridge.inject import PREFIX, Settings

    check_region(options.region)
    return Settings(
        image=options.image,
        prefixes=tuple(options.annotation_prefix or [PREFIX]),
        region=options.region,
        native_sidecars=native_sidecars,
        status_host=options.status_host,
    )
