"""Errors for requests to Google without an answer, or with an answer of another server."""

from __future__ import annotations

from gcp_aws_bridge._tokens.google_network import network_failure
from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google._federation import Federation


def not_reached(federation: Federation, error: Exception) -> ExchangeError:
    """Return the error for a network error between this machine and Google."""
    cause = error.args[0] if error.args else error
    text = f"{type(cause).__name__} {cause}"
    url = federation.iam_url if federation.iam_url in text else federation.sts_url
    failure = network_failure(cause, url, "the token_url of the configuration")
    return ExchangeError(
        f"Google was not reached for {federation.label}. {failure.seen} {failure.shown}.",
        fix=failure.fix,
        error_id="exchange/google-unreachable",
        code=type(cause).__name__,
        retryable=failure.passes,
    )


def not_from_google(federation: Federation, error: Exception, status: int) -> ExchangeError:
    """Return the error for an answer that is not from Google.

    Shows only the type of *error*, since its message quotes the answer.
    """
    return ExchangeError(
        f"For {federation.label}, something answered what Google does not: HTTP {status} "
        f"({type(error).__name__}).",
        fix="look at proxies on the way, and at the token_url of the configuration.",
        error_id="exchange/google-answer",
        code=type(error).__name__,
        retryable=status in TRANSIENT_STATUS or status == 200,
    )


def not_sent(federation: Federation, error: Exception) -> ExchangeError:
    """Return the error for a request that failed before an answer arrived."""
    return ExchangeError(
        f"The request to Google for {federation.label} failed before an answer came: "
        f"{type(error).__name__}.",
        fix="check request=, which must be a google.auth.transport.Request, or omit it.",
        error_id="exchange/google-request",
        code=type(error).__name__,
    )
