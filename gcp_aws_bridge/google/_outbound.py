"""AWS's outbound identity federation: an OIDC token, through botocore's own STS client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from gcp_aws_bridge._botocore_connection import keep_confidential
from gcp_aws_bridge._sts import CONFIG
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._wire_logs import wire_logs_silenced
from gcp_aws_bridge.exceptions import ConfigError, TokenError, quoted
from gcp_aws_bridge.google._aws_identity import AwsIdentity, refused
from gcp_aws_bridge.google._subject_tokens import JWT, OfAws, SubjectToken

# Traded at once, so the shortest that a slow network allows: 60 to 3600 s, 300 by default (AWS STS
# API reference, GetWebIdentityToken).
_LIFE_S = 300
_REFUSALS = {
    "OutboundWebIdentityFederationDisabledException": (
        "token/outbound-disabled",
        (
            "aws iam enable-outbound-web-identity-federation, once for the account; or use an AWS "
            'provider and source="signed-request".'
        ),
    ),
    "AccessDenied": (
        "token/outbound-denied",
        "allow the role sts:GetWebIdentityToken for this audience.",
    ),
}


@dataclass(frozen=True, repr=False)
class OutboundToken(OfAws):
    """An OIDC token that AWS signs for its roles: `sts:GetWebIdentityToken`.

    For a provider whose issuer is the account's own. The account must have outbound identity
    federation enabled, and the role must be allowed the action.

    Args:
        session: As for `SignedRequest`.
        audience: What it is asked for. None: the provider's own.

    Raises:
        ConfigError: botocore is too old to know it.
        TokenUnavailable, TokenError: As for `SignedRequest`; or AWS refused.
    """

    audience: str | None = None

    @without_inner_frames
    def _token_of(self, audience: str, identity: AwsIdentity) -> SubjectToken:
        token = _web_identity_token(identity, self.audience or f"https:{audience}")
        return SubjectToken(token, JWT)


def _web_identity_token(identity: AwsIdentity, audience: str) -> str:
    """Ask AWS STS for a token that is meant for *audience*. Asks each time; the cell keeps.

    Raises:
        ConfigError: botocore does not know the action.
        TokenUnavailable, TokenError: There are no keys to sign with, or AWS refused.
    """
    key_id, secret, token = identity.frozen()
    try:
        client = identity.session().create_client(
            "sts",
            region_name=identity.region(),
            config=CONFIG,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise refused(error) from None
    keep_confidential(client)
    try:
        ask: Any = client.get_web_identity_token
    except AttributeError:
        raise ConfigError(
            f"botocore {botocore.__version__} does not know sts:GetWebIdentityToken.",
            fix="pip install --upgrade botocore, or use an AWS provider and "
            'source="signed-request".',
            error_id="config/outbound",
        ) from None
    try:
        with wire_logs_silenced():
            answer = ask(Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=_LIFE_S)
        return str(answer["WebIdentityToken"])
    except botocore.exceptions.ClientError as error:
        raise _refused(error) from None
    except (botocore.exceptions.BotoCoreError, KeyError, TypeError) as error:
        raise refused(error) from None
    finally:
        client.close()


def _refused(error: botocore.exceptions.ClientError) -> TokenError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code not in _REFUSALS:
        return refused(error)
    error_id, fix = _REFUSALS[code]
    return TokenError(
        f"AWS gave no token for Google: {code} {quoted(error, 300)}.", fix=fix, error_id=error_id
    )
