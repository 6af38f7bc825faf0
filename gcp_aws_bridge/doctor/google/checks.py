"""The checks from an AWS identity to Google's tokens, as a table.

AWS and Google are reached before the token is made, so that all clocks have been compared before a
signature or a token is judged by one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.session import Session

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge.doctor.google import aws, exchange, injected, reach, settings, token
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.report import Report
from gcp_aws_bridge.doctor.runner import DEFAULT_TIMEOUT_S, Check, Progress, run

_INJECTED = Check(
    "injected", injected.check, (), "What the webhook added to the container, and the sidecar."
)
CHECKS = (
    _INJECTED,
    Check("settings", settings.check, (), "A workload identity provider, and settings that fit."),
    Check(
        "sts", reach.check_aws, ("settings",), "AWS's STS of the region, over HTTPS.", parallel=True
    ),
    Check(
        "google",
        reach.check_google,
        ("settings",),
        "Google's token endpoint, over HTTPS.",
        parallel=True,
    ),
    Check(
        "iam", reach.check_iam, ("settings",), "The IAM Credentials API, over HTTPS.", parallel=True
    ),
    Check("clock", reach.check_clock, (), "All three clocks within five minutes."),
    Check("aws", aws.check_aws, ("settings", "sts"), "Temporary keys of the workload's own role."),
    Check(
        "token", token.check_token, ("aws", "clock"), "A subject token that the provider accepts."
    ),
    Check(
        "exchange",
        exchange.check_exchange,
        ("google", "token"),
        "An access token for the subject token.",
    ),
    Check(
        "account",
        exchange.check_account,
        ("iam", "exchange"),
        "An access token of the service account.",
    ),
    Check("identity", exchange.check_identity, ("exchange", "account"), "Unexpired tokens."),
)
# For a container whose Google SDKs get tokens from the sidecar of the pod.
_SERVED = (
    _INJECTED,
    Check("settings", injected.check_settings),
    Check("exchange", injected.check_exchange, ("injected",), "An access token from the sidecar."),
)


def checks_for(arguments: Mapping[str, Any]) -> Sequence[Check]:
    """Return the checks of this machine, in their order."""
    return _SERVED if injected.is_served(arguments) else CHECKS


def diagnose(
    arguments: Mapping[str, Any],
    session: Session,
    *,
    is_own: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Progress = lambda name: None,
    world: World = REAL,
) -> Report:
    """Check each step from the settings to Google's tokens, and return what was found.

    Makes one exchange and keeps nothing; changes *session*, which has the AWS keys afterwards. A
    faulty set-up is a finding, not an exception.

    Args:
        arguments: Settings of `google.credentials`; the others come from environment and
            credential configuration file.
        is_own: Whether a profile or region was named, so that the session decides the identity.
        session, timeout_s, progress: As of `doctor.diagnose`.
    """
    context = GoogleContext(
        arguments=arguments, session=session, is_own=is_own, timeout_s=timeout_s, world=world
    )
    return run(checks_for(arguments), context, progress)
