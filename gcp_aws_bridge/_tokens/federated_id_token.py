"""ID tokens of a service account that a federated identity impersonates."""

from __future__ import annotations

import json
from typing import Any

from gcp_aws_bridge._tokens import google_auth_errors
from gcp_aws_bridge._tokens.google_connection import send
from gcp_aws_bridge._tokens.google_files import SCOPES
from gcp_aws_bridge._tokens.service_account import require_service_account
from gcp_aws_bridge.exceptions import TokenError, quoted

_ACCESS_TOKEN = ":generateAccessToken"


class FederatedIdToken:
    """`generateIdToken` of the IAM Credentials API, for credentials of type external_account.

    The request has the access token of the federated identity, not of the service account:
    roles/iam.workloadIdentityUser allows the identity to get an ID token, but not the account
    itself.

    Args:
        credentials: google-auth credentials with an impersonation URL.
        audience: Audience of the ID token.

    Raises:
        TokenError: The impersonation URL is malformed.
        ConfigError: The service account in the URL is malformed.
    """

    def __init__(self, credentials: Any, audience: str) -> None:
        info = credentials.info
        url = str(info["service_account_impersonation_url"])
        self.account = credentials.service_account_email or ""
        if not self.account or not url.endswith(_ACCESS_TOKEN):
            raise _malformed(f"service_account_impersonation_url is {quoted(url, 300)}")
        require_service_account(self.account)
        self.token: str | None = None
        self._url = f"{url.removesuffix(_ACCESS_TOKEN)}:generateIdToken"
        self._audience = audience
        of_account = ("service_account_impersonation_url", "service_account_impersonation")
        own = {name: value for name, value in info.items() if name not in of_account}
        self.source = type(credentials).from_info(own, scopes=SCOPES)

    def refresh(self, request: Any) -> None:
        """Get an ID token and store it in `token`.

        Raises:
            google.auth.exceptions.GoogleAuthError: Google was not reached, or its STS denied the
                request.
            TokenError: The IAM Credentials API denied the request.
        """
        self.source.refresh(request)
        headers = {"Content-Type": "application/json"}
        self.source.apply(headers)
        body = json.dumps({"audience": self._audience, "includeEmail": True}).encode()
        answer = send(request, self._url, "POST", headers=headers, body=body)
        try:
            token = json.loads(answer.data)["token"] if answer.status == 200 else None
        except (ValueError, LookupError, TypeError, RecursionError):
            token = None
        if not isinstance(token, str):
            caller = google_auth_errors.member(self.source)
            raise google_auth_errors.answered(answer.data, answer.status, self.account, caller)
        self.token = token


def _malformed(what: str) -> TokenError:
    return TokenError(
        f"The credentials of type external_account give no ID token: {what}.",
        fix="write the file by gcloud iam workload-identity-pools create-cred-config PROVIDER "
        "--service-account=NAME@PROJECT.iam.gserviceaccount.com.",
        error_id="token/google-file",
    )
