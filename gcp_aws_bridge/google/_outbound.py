"""AWS's outbound identity federation: OIDC tokens from botocore's STS client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from gcp_aws_bridge._sts.client import CONFIG
from gcp_aws_bridge._sts.connection import keep_confidential
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, TokenError, quoted
from gcp_aws_bridge.google._arguments import text_of
from gcp_aws_bridge.google._aws_identity import AwsIdentity, refused
from gcp_aws_bridge.google._federation import JWT
from gcp_aws_bridge.google._subject_tokens import OfAws, SubjectToken, region_for

# AWS STS API reference, GetWebIdentityToken: 60 to 3600 s, 300 by default. Google's access token
# ends with this token, so the longest lifetime is requested first. AWS rejects a token that would
# outlive the session of the keys, without its end: then the next shorter lifetime is requested.
_LIVES_S = (3600, 1800, 900, 300, 120)
_OUTLIVES_SESSION = "SessionDurationEscalationException"
_LONGEST_AUDIENCE = 1000  # characters; the same reference
_ERRORS = {
    "OutboundWebIdentityFederationDisabledException": (
        "token/outbound-disabled",
        (
            "aws iam enable-outbound-web-identity-federation, once for the account; or use an AWS "
            'provider and source="signed-request".'
        ),
    ),
    _OUTLIVES_SESSION: (
        "token/outbound-session",
        "get fresh AWS keys: the session of these ends within two minutes.",
    ),
    "AccessDenied": (
        "token/outbound-denied",
        "allow the role sts:GetWebIdentityToken for this audience.",
    ),
}
_UNKNOWN = (
    "look up the code in the STS API reference, GetWebIdentityToken; aws sts get-caller-identity "
    "in the same place shows whether the keys are valid."
)


@dataclass(frozen=True, repr=False)
class OutboundToken(OfAws):
    """Subject tokens from AWS's outbound identity federation (`sts:GetWebIdentityToken`).

    For an OIDC provider whose issuer is the AWS account. The account must have outbound identity
    federation enabled, and the role needs permission for the action. The token is valid for one
    hour, or until the session of the AWS keys ends; without a service account, Google's token ends
    with it.

    Args:
        session: See `SignedRequest`.
        audience: Audience of the token. None: the name of the provider.

    Raises:
        ConfigError: botocore is too old for the action.
        TokenUnavailable, TokenError: See `SignedRequest`; or AWS denied the request.
    """

    audience: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.audience is not None:
            text_of("audience", self.audience, "https://example.com", _LONGEST_AUDIENCE)

    @without_inner_frames
    def _token_of(self, audience: str, identity: AwsIdentity) -> SubjectToken:
        token = _web_identity_token(identity, self.audience or f"https:{audience}")
        return SubjectToken(token, JWT)


def _web_identity_token(identity: AwsIdentity, audience: str) -> str:
    """Request a token for *audience* from AWS STS, without a cache.

    Raises:
        ConfigError: botocore does not know the action.
        TokenUnavailable, TokenError: There are no AWS keys, or AWS denied the request.
    """
    key_id, secret, token = identity.frozen()
    try:
        client = identity.session().create_client(
            "sts",
            region_name=region_for(identity),
            config=CONFIG,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
    except BridgeError:  # ConfigError is a ValueError, too
        raise
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
            return str(_longest(ask, audience)["WebIdentityToken"])
    except botocore.exceptions.ClientError as error:
        raise _refused(error) from None
    except (botocore.exceptions.BotoCoreError, KeyError, TypeError) as error:
        raise refused(error) from None
    finally:
        client.close()


def _longest(ask: Callable[..., Any], audience: str) -> Any:
    """Return AWS's answer for the longest lifetime that the session of the keys allows."""
    for life_s in _LIVES_S:
        try:
            return ask(Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=life_s)
        except botocore.exceptions.ClientError as error:  # noqa: PERF203 - mostly the first
            if _code(error) != _OUTLIVES_SESSION or life_s == _LIVES_S[-1]:
                raise


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: botocore.exceptions.ClientError) -> TokenError:
    code = _code(error)
    error_id, fix = _ERRORS.get(code, ("token/outbound-refused", _UNKNOWN))
    return TokenError(
        f"AWS gave no token for Google: {code} {quoted(error, 300)}.",
        fix=fix,
        error_id=error_id,
        retryable=refused(error).retryable,
    )
