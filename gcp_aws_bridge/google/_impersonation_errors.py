"""Errors of the IAM Service Account Credentials API, like those in `_errors`.

Sources: REST reference, projects.serviceAccounts; IAM, "Roles and permissions" (which role has
which permission); google.rpc.ErrorInfo (AIP-193), which names the permission.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google._errors import (
    WAIT,
    Answered,
    Asked,
    Sign,
    both,
    explained,
    names,
    one_word,
    unknown,
    words_of,
)
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._network_errors import not_from_google

# IAM, "Roles and permissions": the role of least privilege with each permission. Tokens need the
# first role, signatures the second one.
_USER = "roles/iam.workloadIdentityUser"
_CREATOR = "roles/iam.serviceAccountTokenCreator"
_ROLES = {
    "getAccessToken": _USER,
    "getOpenIdToken": _USER,
    "implicitDelegation": _CREATOR,
    "signBlob": _CREATOR,
    "signJwt": _CREATOR,
}
# The permission of each method, if Google's message names none.
_PERMISSIONS = {
    "generateAccessToken": "getAccessToken",
    "generateIdToken": "getOpenIdToken",
    "signBlob": "signBlob",
    "signJwt": "signJwt",
}
_PERMISSION = re.compile(r"iam\.serviceAccounts\.(\w{1,64})", re.ASCII)
_LISTED = "gcloud iam service-accounts list --project={project}"
_SIGNS = (
    Sign(
        "has not been used in project|SERVICE_DISABLED",
        "The IAM Credentials API is disabled in the project of the pool.",
        "gcloud services enable iamcredentials.googleapis.com --project={number}",
        "exchange/google-api",
    ),
    Sign(
        "vpcServiceControls|prohibited by organization",
        "A perimeter of VPC Service Controls denies access to this identity.",
        "add an ingress rule for it to the perimeter: iamcredentials.googleapis.com and "
        "sts.googleapis.com.",
        "exchange/google-perimeter",
    ),
    Sign(
        "^NOT_FOUND",
        "There is no such service account.",
        f"{_LISTED} shows the accounts; correct service_account=, or create it.",
        "exchange/google-account",
    ),
    Sign(
        "^INVALID_ARGUMENT.*lifetime",
        "{lifetime} s were requested.",
        "request 3600 s at most, or list the account in the constraint "
        "constraints/iam.allowServiceAccountCredentialLifetimeExtension.",
        "exchange/google-lifetime",
    ),
    Sign(
        "^UNAUTHENTICATED",
        "Google does not accept the federated identity's token any more.",
        "none is needed: the next attempt gets another token. If the error persists, check that "
        "the pool and the provider are enabled: gcloud iam workload-identity-pools providers "
        "describe {provider}",
        "exchange/google-impersonation",
    ),
)
# The other arguments were checked before the request.
_INVALID_SCOPE = (
    "Google does not name the invalid argument; the scopes were {scopes}.",
    "give scopes= as URLs (https://www.googleapis.com/auth/cloud-platform), or leave it out.",
    "exchange/google-scope",
)


def impersonation(
    federation: Federation, method: str, answer: Any, seen: Answered, asked: Asked
) -> ExchangeError:
    """Return the error for a *method* of the API that failed."""
    from gcp_aws_bridge.policy.names import quoted_project

    error = answer.get("error") if isinstance(answer, Mapping) else None
    if not isinstance(error, Mapping):
        return not_from_google(federation, ValueError(), seen.status)
    code, message = one_word(error.get("status", seen.status)), error.get("message", "")
    cause, fix, error_id = _cause(method, code, error, seen.status, asked)
    values = {
        **names(federation, asked),
        "account": str(federation.service_account),
        "project": quoted_project(str(federation.service_account)),
        "number": _number(str(message)) or federation.audience.split("/")[4],
        "lifetime": str(federation.lifetime_s),
    }
    cause, fix = both(cause, fix, values)
    head = f"{method} for {federation.service_account} failed: {code}"
    short, details = words_of(message, head + cause + fix)
    made = ExchangeError(
        f"{head}{short}. {cause}".strip(),
        fix=fix,
        error_id=error_id,
        code=code,
        # After 401, the federated token was revoked or has expired: the next attempt gets a new
        # one.
        retryable=seen.status in TRANSIENT_STATUS or seen.status == 401,
        details=details,
    )
    made.date = seen.date
    return made


def _cause(
    method: str, code: str, error: Mapping[str, Any], status: int, asked: Asked
) -> tuple[str, str, str]:
    """Return cause, fix and error id."""
    if status in TRANSIENT_STATUS:
        return WAIT
    # The details contain google.rpc.ErrorInfo, with reason and permission.
    text = f"{code} {error.get('message', '')} {json.dumps(error.get('details', ''))}"
    if found := explained(_SIGNS, text):
        return found
    named = _PERMISSION.search(text)
    if named or (code == "PERMISSION_DENIED" and not _has_another_reason(error)):
        return _role(named[1] if named else _PERMISSIONS.get(method, ""))
    if code == "INVALID_ARGUMENT" and asked.scopes and method == "generateAccessToken":
        return _INVALID_SCOPE
    return unknown(code)


def _has_another_reason(error: Mapping[str, Any]) -> bool:
    """Return whether google.rpc.ErrorInfo has a reason other than missing roles.

    For example USER_PROJECT_DENIED (a quota project), BILLING_DISABLED, CONSUMER_SUSPENDED.
    """
    reasons = re.findall(r'"reason": "(\w+)"', json.dumps(error.get("details", "")))
    if "insufficient authentication scopes" in str(error.get("message", "")):
        return True  # ACCESS_TOKEN_SCOPE_INSUFFICIENT, also without ErrorInfo
    return bool({*reasons} - {"IAM_PERMISSION_DENIED"})


def _role(permission: str) -> tuple[str, str, str]:
    """Return cause, fix and error id for a missing permission."""
    if not permission:
        return unknown("PERMISSION_DENIED")
    role = _ROLES.get(permission, f"a role with iam.serviceAccounts.{permission}")
    who = "this identity (gcp-aws-bridge doctor --google prints the command)"
    if role != _USER:
        who = (
            f"the member that has {_USER} there: gcloud iam service-accounts get-iam-policy "
            "{account}"
        )
    cause = "Google returns the same error if the account does not exist."
    return cause, f"grant {role} on {{account}} to {who}", "exchange/google-impersonation"


def _number(message: str) -> str:
    found = re.search(r"project (\d{6,20})\b", message, re.ASCII)
    return found[1] if found else ""
