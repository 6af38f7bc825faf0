"""Emulated Security Token Service of Google: `v1.token`, an OAuth 2.0 token exchange.

Parameters and their checks follow Google's REST reference and RFC 8693, section 2. Errors have the
format of RFC 6749, section 5.2. Messages are those that Google documents ("Troubleshoot Workload
Identity Federation") or users report; a comment marks invented ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .clock import Clock
from .googleiam import SCOPE, GoogleIam, GoogleIdentity
from .mapping import Attributes
from .oauth import OAuthError, OAuthService
from .providers import WorkloadProvider
from .requestlog import Recorded
from .subjects import FindSigner, aws_assertion, oidc_assertion

__all__ = ["GoogleSts"]

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_AWS = "urn:ietf:params:aws:token-type:aws4_request"
_OIDC = frozenset(
    {"urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"}
)
_AUDIENCE = re.compile(
    r"//iam\.googleapis\.com/projects/[^/]+/locations/global/workloadIdentityPools/[^/]+"
    r"/providers/[^/]+"
)

# "A federated access token lives one hour". Users find that it does not outlive an OIDC token.
_LIFETIME_S = 3600
# REST reference, `options`.
_OPTIONS_LIMIT = 4096
# IAM reference, `attributeMapping`.
_SUBJECT_LIMIT = 127
_ATTRIBUTES_LIMIT = 8192


class GoogleSts(OAuthService):
    """sts.googleapis.com on one port."""

    path = "/v1/token"

    def __init__(self, iam: GoogleIam, find_signer: FindSigner, clock: Clock) -> None:
        super().__init__(clock)
        self._iam = iam
        self._find_signer = find_signer

    def exchange(self, request: Recorded, remaining_s: float | None) -> dict[str, Any]:
        """Exchange a subject token for an access token."""
        params = _parameters(request)
        _check(params)
        now = self._clock()
        provider = self._iam.provider(params["audience"])
        if provider is None:
            raise OAuthError(
                "invalid_target",
                'The target service indicated by the "audience" parameters is invalid. This might '
                "either be because the pool or provider is disabled or deleted or because it "
                "doesn't exist.",
            )
        assertion = self._assertion(params, provider, now)
        attributes = _mapped(provider, assertion)
        lives_s = float(_LIFETIME_S)
        if provider.issuer is not None:
            lives_s = max(1, min(lives_s, int(assertion["exp"]) - int(now.timestamp())))
        lives_s = lives_s if remaining_s is None else remaining_s
        identity = GoogleIdentity(
            principal=provider.principal(str(attributes["google.subject"])),
            email=None,
            scopes=frozenset(params["scope"].split()),
            expiration=now + timedelta(seconds=lives_s),
            principal_sets=provider.principal_sets(attributes),
        )
        return {
            "access_token": self._iam.issue(identity),
            "issued_token_type": _ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": int(lives_s),
        }

    def _assertion(
        self, params: Mapping[str, str], provider: WorkloadProvider, now: datetime
    ) -> Mapping[str, Any]:
        kind, token = params["subject_token_type"], params["subject_token"]
        if kind == _AWS and provider.aws_account is not None:
            return aws_assertion(token, provider, self._find_signer, now)
        if kind in _OIDC and provider.issuer is not None:
            return oidc_assertion(token, provider, now)
        # Invented message.
        raise _invalid("subject_token_type", f"The provider does not take {kind}.")


def _parameters(request: Recorded) -> Mapping[str, str]:
    """Return the parameters of a form, or of the JSON format in Google's REST reference."""
    if "json" not in request.headers.get("Content-Type", ""):
        return request.params
    try:
        document = json.loads(request.body)
        pairs = document.items()
    except (ValueError, AttributeError, RecursionError):
        raise OAuthError("invalid_request", "Invalid JSON payload received.") from None
    return {
        re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", str(name)): str(value)
        for name, value in pairs
    }


def _check(params: Mapping[str, str]) -> None:
    """Check all parameters except the subject token. The message for the audience is Google's."""
    if params.get("grant_type") != _GRANT:
        raise OAuthError("unsupported_grant_type", f"The grant type must be {_GRANT}.")
    if params.get("requested_token_type") != _ACCESS_TOKEN:
        raise _invalid("requested_token_type", f"It must be {_ACCESS_TOKEN}.")
    if not _AUDIENCE.fullmatch(params.get("audience", "")):
        raise _invalid(
            "audience",
            "This value should be the full resource name of the Identity Provider. See "
            "https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list "
            "of possible formats.",
        )
    for name in ("subject_token", "subject_token_type"):
        if not params.get(name):
            raise _invalid(name, "It is required.")
    if len(params.get("options", "")) > _OPTIONS_LIMIT:
        raise _invalid("options", f"Its size must not exceed {_OPTIONS_LIMIT} characters.")
    scopes = params.get("scope", "").split()
    if not scopes or not all(SCOPE.fullmatch(scope) for scope in scopes):
        raise OAuthError("invalid_scope", "Some requested scopes were invalid.")


def _invalid(name: str, why: str) -> OAuthError:
    return OAuthError("invalid_request", f'Invalid value for "{name}". {why}')


def _mapped(provider: WorkloadProvider, assertion: Mapping[str, Any]) -> Attributes:
    """Map the assertion. The condition is checked first, as users see with tokens without `sub`."""
    attributes = provider.attributes.attributes(assertion)
    if not provider.attributes.admits(assertion, attributes):
        raise OAuthError(
            "unauthorized_client", "The given credential is rejected by the attribute condition."
        )
    subject = attributes.get("google.subject")
    if subject is None:
        raise OAuthError(
            "unauthorized_client",
            "Could not obtain a value for google.subject from the given credential.",
        )
    if _size(subject) > _SUBJECT_LIMIT:
        raise OAuthError(
            "invalid_request",
            f"The size of mapped attribute google.subject exceeds the {_SUBJECT_LIMIT} bytes "
            "limit. Either modify your attribute mapping or the incoming assertion to produce a "
            f"mapped attribute that is less than {_SUBJECT_LIMIT} bytes.",
        )
    if sum(map(_size, attributes.values())) > _ATTRIBUTES_LIMIT:
        # Invented message.
        raise OAuthError("invalid_request", "The mapped attributes exceed the 8 KB limit.")
    return attributes


def _size(value: str | tuple[str, ...]) -> int:
    return len("".join(value).encode("utf-8", "surrogatepass"))
