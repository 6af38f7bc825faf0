"""Errors of the metadata server."""

from __future__ import annotations

import re

from gcp_aws_bridge._settings import METADATA_DEADLINE
from gcp_aws_bridge._tokens import http
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, TokenError, TokenUnavailable, quoted

# The pool of an account that is linked to none ends with .svc.id.goog.
_NO_ACCOUNT = r"Gaia id not found for email ([^\s\"]+\.gserviceaccount\.com)"


def malformed_host(host: str) -> ConfigError:
    """Return the error for a malformed `GCE_METADATA_HOST`."""
    bare = ":" in host.partition(":")[2] and "/" not in host and "[" not in host
    return ConfigError(
        f"GCE_METADATA_HOST is {quoted(host)}; it must be a host or host:port"
        + (", and an IPv6 address has brackets." if bare else "."),
        fix="unset it on Google Cloud; an emulator's is 127.0.0.1:PORT or [::1]:PORT, without "
        "http:// and without a path.",
        error_id="config/metadata-host",
    )


def gave_up(host: str, seen: str, tries: int, within_s: float, *, answered: bool) -> BridgeError:
    """Return the error for a server that was not ready in time.

    Args:
        host: Address of the server.
        seen: Result of the last attempt; of both attempts if the server has two addresses.
        tries: Number of attempts.
        within_s: The deadline, in seconds.
        answered: Whether Google's server has answered.
    """
    times = "once" if tries == 1 else f"{tries} times in {within_s:.0f} s"
    summary = f"The metadata server at {host} was asked {times}: {seen}."
    if answered:
        return TokenError(
            summary,
            fix="it should pass: look at the node's gke-metadata-server pods, their logs and the "
            f"node's load; to wait longer, set {METADATA_DEADLINE[0]} (now {within_s:g}).",
            error_id="token/metadata-not-ready",
        )
    return TokenUnavailable(
        summary,
        fix="on Google Cloud, check the network policy, hostNetwork and the node pool's Workload "
        f"Identity, or wait longer ({METADATA_DEADLINE[0]}, now {within_s:g}); elsewhere, pass "
        "token_source=TokenFile(...) or GoogleCredentials(impersonate=...).",
        error_id="token/metadata-unreachable",
    )


def not_googles(answer: http.Answer) -> TokenUnavailable:
    """Return the error for another server at the metadata server's address."""
    return TokenUnavailable(
        f"What answers at {answer.host} is not Google's metadata server: HTTP {answer.status} "
        "without the header Metadata-Flavor: Google.",
        fix="look at GCE_METADATA_HOST and at proxies; elsewhere than on Google Cloud, pass "
        "token_source=GoogleCredentials(...) or TokenFile(...).",
        error_id="token/not-google",
    )


def refused(answer: http.Answer) -> TokenError:
    """Return the error for a permanent status other than 200."""
    from gcp_aws_bridge._tokens.google_auth_errors import enable_api

    summary = f"The metadata server answered HTTP {answer.status}"
    # Long enough for the message about an unlinked account, which has the workload pool.
    body = f"The answer: {quoted(answer.body, 240)}."
    # The answer contains that of the IAM Credentials API.
    missing = re.search(_NO_ACCOUNT, answer.body)
    if answer.status == 404 and missing:
        return TokenError(
            f"{summary}: there is no Google service account {quoted(missing[1])}.",
            fix="correct the annotation iam.gke.io/gcp-service-account of the Kubernetes service "
            "account, or create the Google service account.",
            error_id="token/no-service-account",
            details=body,
        )
    if answer.status == 404:
        # GKE: a Kubernetes service account without a linked Google one has no ID token.
        return TokenError(
            f"{summary}: this workload has no Google service account to give an ID token for.",
            fix="annotate the Kubernetes service account with iam.gke.io/gcp-service-account and "
            "grant roles/iam.workloadIdentityUser; or pass TokenFile(...) with a projected token "
            "that AWS trusts.",
            error_id="token/no-service-account",
            details=body,
        )
    if answer.status in range(300, 400):
        summary += " (a redirect, which is not followed)"
    return TokenError(
        f"{summary} to a request for a token.",
        fix=enable_api(answer.body)
        or "check the service account's binding (roles/iam.workloadIdentityUser) and its name.",
        error_id="token/metadata-refused",
        details=body,
    )
