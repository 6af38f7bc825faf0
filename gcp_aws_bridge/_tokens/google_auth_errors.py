"""Errors of google-auth, and of Google through google-auth, for ID tokens."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from gcp_aws_bridge.exceptions import TokenError, quoted

# IAM, "IAM roles and permissions index": the role with a permission in Google's message.
# roles/iam.workloadIdentityUser, the role for federated identities, has these two.
_PERMISSION = re.compile(r"iam\.serviceAccounts\.(\w+)")
_TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"
_FEDERATED_ROLES = {
    "getAccessToken": "roles/iam.workloadIdentityUser",
    "getOpenIdToken": "roles/iam.workloadIdentityUser",
}
_DISABLED = re.compile(r"SERVICE_DISABLED|has not been used in project|it is disabled")
_IN_PROJECT = re.compile(r"in project ([\w.:-]+)")
_PASSING = re.compile(r"['\"]code['\"]: (?:429|5\d\d)\b")
_NO_ACCOUNT = re.compile(r"Gaia id not found|NOT_FOUND")
UNKNOWN_MEMBER = "MEMBER"
# Beginnings of messages of google-auth's identity_pool, pluggable and aws modules before a request
# to Google. Google's own errors begin with "Error code".
_OF_SOURCE = re.compile(
    r"File '.*' was not found|Executable|The (token returned by the )?executable"
    r"|(Unable to|Failed to) \w+ .*?(AWS|[Ss]ubject.token|certificate)"
    r"|Missing subject_token|(The )?(AWS|leaf certificate)",
)


def refused(
    error: Exception,
    account: str,
    caller: str,
    status: int | None,
    sources: Collection[str] = (),
) -> TokenError:
    """Return the error for an error of google-auth.

    Args:
        error: Error of google-auth or its transport.
        account: E-mail of the impersonated service account, or "".
        caller: The caller as a member of an IAM policy; an unknown part is a name in capitals.
        status: HTTP status of the last answer; None: there was no answer.
        sources: Servers from which a federated identity gets its subject token.
    """
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests import exceptions

    from gcp_aws_bridge._tokens.google_network import is_missing_bundle

    of_requests = (exceptions.ConnectionError, exceptions.Timeout)
    network = (TransportError, ConnectionError, TimeoutError, *of_requests)
    # Show messages of google-auth, and of requests about the network (OSError). Other messages may
    # quote an answer, so show only their type.
    shown = quoted(error, 400) if isinstance(error, (GoogleAuthError, OSError)) else ""
    shown = shown or type(error).__name__
    if isinstance(error, network) or is_missing_bundle(error):
        if (server := _server_of(error)) in sources:
            return _no_subject_token(f"{quoted(server)} was not reached", True, f"{shown}.")
        return _not_reached(error)
    if _OF_SOURCE.match(str(error.args[0]) if error.args else ""):
        return _no_subject_token(quoted(error.args[0], 100), _passes(status))
    # google-auth sends some requests with another session, and quotes the answer in its message.
    is_passing = _passes(status) or _PASSING.search(str(error)) is not None
    return TokenError(
        f"Google gave no ID token: {shown}.",
        fix=_fix(str(error), account, caller, is_passing),
        error_id="token/google-refused",
        # All errors of google-auth have `retryable`; errors of requests are OSErrors.
        retryable=is_passing
        or bool(getattr(error, "retryable", False))
        or isinstance(error, OSError),
    )


def _not_reached(error: BaseException) -> TokenError:
    from gcp_aws_bridge._tokens.google_network import network_failure

    cause = _of_requests(error)
    url = f"https://{_server_of(error) or 'iamcredentials.googleapis.com'}"
    failure = network_failure(cause, url, "token_uri or token_url in the credentials file")
    return TokenError(
        f"Google was not reached for an ID token. {failure.seen}",
        fix=failure.fix,
        error_id="token/google-unreachable",
        retryable=failure.passes,
        details=f"{failure.shown}.",
    )


def _of_requests(error: BaseException) -> BaseException:
    """Return the error of requests that google-auth has wrapped."""
    inner = error.__cause__ or (error.args[0] if error.args else None)
    return inner if isinstance(inner, OSError) else error


def _server_of(error: BaseException) -> str:
    """Return host and port of the request that failed; empty if they are not known."""
    request = getattr(_of_requests(error), "request", None)
    return urlsplit(getattr(request, "url", None) or "").netloc


def _no_subject_token(problem: str, retryable: bool, details: str = "") -> TokenError:
    return TokenError(
        f"The credentials file has no token for Google: {problem}.",
        fix="correct credential_source in the file (gcloud iam workload-identity-pools "
        "create-cred-config writes it), or its server; an executable needs "
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1, and AWS needs AWS_REGION.",
        error_id="token/google-file",
        retryable=retryable,
        details=details,
    )


def answered(body: bytes, status: int, account: str, caller: str) -> TokenError:
    """Return the error for an answer of the IAM Credentials API without a token."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        message = f"HTTP {status}, not in Google's form"
    is_passing = _passes(status)
    return TokenError(
        f"Google gave no ID token for {quoted(account)}: {quoted(message, 400)}.",
        fix=_fix(f"{message} {body[:4096]!r}", account, caller, is_passing),
        error_id="token/google-refused",
        retryable=is_passing,
    )


def _passes(status: int | None) -> bool:
    return status is not None and (status == 429 or status >= 500)


def _fix(message: str, account: str, caller: str, is_passing: bool) -> str:
    from gcp_aws_bridge.policy.names import quoted_project

    named = _PERMISSION.search(message)
    email = shlex.quote(account or "NAME@PROJECT.iam.gserviceaccount.com")
    where = f"--project={quoted_project(account)}"
    if is_passing:
        return "wait: this error of Google is temporary; check status.cloud.google.com."
    if named:
        federated = caller.startswith("principal")
        role = _FEDERATED_ROLES.get(named[1], _TOKEN_CREATOR) if federated else _TOKEN_CREATOR
        return (
            f"grant the caller {role} on the service account, if it exists:\n"
            f"gcloud iam service-accounts describe {email} {where}\n"
            f"gcloud iam service-accounts add-iam-policy-binding {email} {where} --role={role} "
            f"--member={shlex.quote(caller)}"
        )
    if enable := enable_api(message):
        return enable
    if account and _NO_ACCOUNT.search(message):
        return (
            "correct the e-mail of the service account; these exist: gcloud iam service-accounts "
            f"list {where}"
        )
    if "invalid_grant" in message:
        return (
            "for a user's login, gcloud auth application-default login; for a key, check that it "
            "is live: gcloud iam service-accounts keys list --iam-account=EMAIL; for a federated "
            "identity, look at the attribute condition of the provider."
        )
    return "look up this answer, which gcp-aws-bridge does not know; look at proxies on the way."


def enable_api(message: str) -> str:
    """Return the command for an API that is disabled according to Google's *message*, or ""."""
    if not _DISABLED.search(message):
        return ""
    project = _IN_PROJECT.search(message)
    return (
        "gcloud services enable iamcredentials.googleapis.com "
        f"--project={shlex.quote(project[1] if project else 'PROJECT')}"
    )


def member(credentials: Any) -> str:
    """Return *credentials* as a member of an IAM policy; unknown parts are in capitals."""
    from gcp_aws_bridge._tokens.google_files import is_external_account

    if email := getattr(credentials, "service_account_email", None):
        return f"serviceAccount:{email}"
    if is_external_account(credentials):
        # IAM, "Principal identifiers": the name of the pool, without //.
        pool = str(credentials.info.get("audience", "")).removeprefix("//").partition("/providers/")
        return f"principal://{pool[0]}/subject/SUBJECT"
    is_login = type(credentials).__module__ == "google.oauth2.credentials"
    return "user:NAME@DOMAIN" if is_login else UNKNOWN_MEMBER
