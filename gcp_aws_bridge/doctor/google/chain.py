"""The links in their order, and the walk along them.

AWS and Google are reached before anything is asked of either, so that all clocks are known before
a signature or a token is judged by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.session import Session

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge.doctor import reach
from gcp_aws_bridge.doctor.chain import DEFAULT_TIMEOUT_S, Link, Watcher, walked
from gcp_aws_bridge.doctor.google import aws, exchange, settings
from gcp_aws_bridge.doctor.google import reach as ways
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.google.token import check_token
from gcp_aws_bridge.doctor.report import Finding, Report, State

_GOOGLES_CLOCK: tuple[State, str, str] = (
    "warning",
    "what answers as Google and agrees with AWS's: is there a proxy that answers from a cache?",
    "doctor/google-clock",
)


def _check_clock(walk: Walk) -> Iterator[Finding]:
    return reach.check_clock(walk, _GOOGLES_CLOCK)


LINKS = (
    Link("settings", (), settings.check, "A workload identity provider, and settings that fit."),
    Link("sts", ("settings",), ways.check_aws, "AWS's STS of the region, over HTTPS.", True),
    Link("google", ("settings",), ways.check_google, "Google's token endpoint, over HTTPS.", True),
    Link("iam", ("settings",), ways.check_iam, "The IAM Credentials API, over HTTPS.", True),
    Link("clock", (), _check_clock, "All three clocks within five minutes."),
    Link("aws", ("settings", "sts"), aws.check_aws, "Temporary keys of the workload's own role."),
    Link("token", ("aws", "clock"), check_token, "A subject token that the provider takes."),
    Link(
        "exchange",
        ("google", "token"),
        exchange.check_exchange,
        "An access token for the subject token.",
    ),
    Link(
        "account",
        ("iam", "exchange"),
        exchange.check_account,
        "An access token of the service account.",
    ),
    Link("identity", ("exchange", "account"), exchange.check_identity, "Tokens with life left."),
)


def diagnose(
    arguments: Mapping[str, Any],
    session: Session,
    *,
    is_own: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    looking_at: Watcher = lambda name: None,
    world: World = REAL,
) -> Report:
    """Walk the chain from settings to Google's tokens, and say what was found of each link.

    Makes one exchange, keeps nothing of it, and changes *session*, which has the keys then. Raises
    for no broken set-up: that is a finding.

    Args:
        arguments: Settings of `google.credentials` that were given; others come from environment
            and credential configuration file.
        session: botocore's, with the profile, region and proxies that reach AWS.
        is_own: It is another than the library would take by itself: a profile or region was named.
        timeout_s: Seconds that each link may take; a broken link is mostly the only slow one.
        looking_at: Told the name of each link before it is looked at, for whoever waits.
    """
    walk = Walk(
        arguments=arguments, session=session, is_own=is_own, timeout_s=timeout_s, world=world
    )
    return walked(LINKS, walk, looking_at)
