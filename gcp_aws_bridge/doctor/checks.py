"""The checks from a Google identity to AWS credentials, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.session import Session

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge.doctor import (
    exchange,
    identity,
    injected,
    platform,
    reach,
    regions,
    served,
    settings,
)
from gcp_aws_bridge.doctor.context import AwsContext
from gcp_aws_bridge.doctor.report import Report
from gcp_aws_bridge.doctor.runner import DEFAULT_TIMEOUT_S, Check, Progress, run

_INJECTED = Check(
    "injected", injected.check, (), "What the webhook added to the container, and the sidecar."
)
CHECKS = (
    _INJECTED,
    Check("settings", settings.check, (), "One role, with settings that AWS accepts."),
    Check("place", platform.check_place, (), "", parallel=True),
    Check(
        "metadata",
        platform.check_metadata,
        (),
        "Google's metadata server, at 169.254.169.254 and nowhere else.",
    ),
    Check(
        "sts", regions.check_sts, ("settings",), "The STS of the region, over HTTPS.", parallel=True
    ),
    Check("clock", reach.check_clock, (), "All three clocks within five minutes."),
    Check("account", identity.check_account, ("metadata",), "A Google service account."),
    Check(
        "token",
        identity.check_token,
        ("settings", "metadata", "clock", "account"),
        "An unexpired ID token for the role's audience.",
    ),
    Check("exchange", exchange.check_exchange, ("sts", "token"), "Credentials for the token."),
    Check("chain", exchange.check_chain, ("exchange",), "Credentials of each chained role."),
    Check("identity", exchange.check_identity, ("exchange", "chain"), "A session of the role."),
)
# For a container whose AWS SDKs get the credentials from the sidecar of the pod.
_SERVED = (
    _INJECTED,
    Check("settings", served.check_settings),
    Check("exchange", served.check_exchange, ("injected",), "Credentials from the sidecar."),
    Check("sts", regions.check_sts, ("exchange",), "The STS of the region, over HTTPS."),
    Check("clock", reach.check_clock, (), "Both clocks within five minutes."),
    Check("identity", exchange.check_identity, ("exchange", "sts"), "A session of the role."),
)


def checks_for(arguments: Mapping[str, Any], session: Session) -> Sequence[Check]:
    """Return the checks of this machine, in their order."""
    return _SERVED if served.is_served(arguments, session) else CHECKS


def diagnose(
    arguments: Mapping[str, Any],
    session: Session,
    *,
    token_source: TokenSource | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Progress = lambda name: None,
    world: World = REAL,
) -> Report:
    """Check each step from the settings to AWS, and return what was found.

    Makes one exchange, in each region of several, and keeps nothing. A faulty set-up is a finding,
    not an exception.

    Args:
        arguments: Fields of `Role`; the others come from environment and profile.
        session: botocore session with the profile, region and proxies that reach AWS.
        token_source: None for the default source of this machine.
        timeout_s: Seconds that each check may take.
        progress: Called with the name of each check before it runs.
    """
    context = AwsContext(
        arguments=arguments,
        session=session,
        token_source=token_source,
        timeout_s=timeout_s,
        world=world,
    )
    return run(checks_for(arguments, session), context, progress)
