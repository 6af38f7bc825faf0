"""What proves to Google who runs here: a signed request to AWS, or an OIDC token.

Which of them a provider takes was decided when it was made (an AWS provider, or one of OIDC), and
cannot be seen from here; `choose` goes by what the machine has. Reads
`GCP_AWS_BRIDGE_GOOGLE_SOURCE`, `GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE` and
`AWS_WEB_IDENTITY_TOKEN_FILE`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from google.auth import aws
from google.auth.exceptions import GoogleAuthError

from gcp_aws_bridge.exceptions import BridgeError, ConfigError, TokenError, quoted
from gcp_aws_bridge.google._aws_identity import AwsIdentity, refused
from gcp_aws_bridge.google._federation import Federation

_log = logging.getLogger("gcp_aws_bridge")
# Token type identifiers: RFC 8693, section 3, and Google Cloud, "Method: token": subjectTokenType.
SIGNED_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
JWT = "urn:ietf:params:oauth:token-type:jwt"
_NAMES = ("signed-request", "token-file", "outbound")
# What google-config writes as the command of an executable; before it, where this package is.
OUTBOUND_COMMAND = " google-token --executable --source outbound"


class SubjectToken(NamedTuple):
    """What is traded at Google's token endpoint, and of which type (RFC 8693) it is."""

    value: str
    type: str

    def __repr__(self) -> str:
        return f"<SubjectToken {self.type}>"


@dataclass(frozen=True)
class SignedRequest:
    """A signed `GetCallerIdentity` request, for an AWS provider: Google sends it to AWS.

    Nothing is sent to AWS from here. Good for five minutes (AWS Signature Version 4).

    Args:
        session: boto3's or botocore's, whose credentials sign. None: what the environment says.

    Raises:
        TokenUnavailable: There is no AWS identity here.
        TokenError: botocore could not get its keys.
    """

    session: Any = field(default=None, repr=False)

    def __call__(self, audience: str) -> SubjectToken:
        signing = aws.Credentials(
            audience, SIGNED_REQUEST, aws_security_credentials_supplier=AwsIdentity(self.session)
        )
        try:
            return SubjectToken(signing.retrieve_subject_token(None), SIGNED_REQUEST)
        except GoogleAuthError as error:  # a region that makes no address
            raise refused(error) from None


@dataclass(frozen=True)
class OutboundToken:
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

    session: Any = field(default=None, repr=False)
    audience: str | None = None

    def __call__(self, audience: str) -> SubjectToken:
        from gcp_aws_bridge.google._outbound import web_identity_token

        identity = AwsIdentity(self.session)
        return SubjectToken(web_identity_token(identity, self.audience or f"https:{audience}"), JWT)


@dataclass(frozen=True)
class OidcToken:
    """What any `() -> str` returns, for a provider of its issuer: `TokenFile`, or one's own."""

    source: Callable[[], str]

    def __call__(self, audience: str) -> SubjectToken:
        from gcp_aws_bridge import _id_token  # loaded where there is one

        try:
            token = _id_token.parse(self.source(), origin=self._origin)
            return SubjectToken(token.raw, JWT)
        except BridgeError:
            raise
        except Exception as error:
            # Its type alone: a message of code that handles tokens may hold one.
            raise TokenError(
                f"{self._origin} raised {type(error).__name__}.",
                fix="see the cause below it in the traceback.",
                error_id="token/source-raised",
                retryable=isinstance(error, OSError),
            ) from error

    @property
    def _origin(self) -> str:
        return f"The token source {getattr(self.source, '__name__', type(self.source).__name__)}"


SubjectTokenSource = Callable[[str], SubjectToken]


def choose(
    given: Any, session: Any, federation: Federation, document: Mapping[str, Any]
) -> SubjectTokenSource:
    """As `chosen`, without the reason, which is logged."""
    found, why = chosen(given, session, federation, document)
    _log.debug("%s: subject token from %s: %s", federation.label, type(found).__name__, why)
    return found


def chosen(
    given: Any, session: Any, federation: Federation, document: Mapping[str, Any]
) -> tuple[SubjectTokenSource, str]:
    """The source that was asked for, or else the one that this machine has; and why that.

    Args:
        given: A source, a name of one, a callable that returns an OIDC token, or None.
        document: The credential configuration, where one was read.

    Raises:
        ConfigError: There is no such source, or it takes what is not here.
    """
    why = "it was asked for"
    if not given and (given := os.environ.get("GCP_AWS_BRIDGE_GOOGLE_SOURCE")):
        why = "GCP_AWS_BRIDGE_GOOGLE_SOURCE says so"
    if isinstance(given, str) and given:
        return _named(given, session), why
    if isinstance(given, (SignedRequest, OutboundToken)):
        return given, why
    if callable(given):
        return OidcToken(given), why
    if given:
        raise unknown(given)
    return _of_document(document, session) if document else _found(federation, session)


def _named(name: str, session: Any) -> SubjectTokenSource:
    if name not in _NAMES:
        raise unknown(name)
    if name == "signed-request":
        return SignedRequest(session)
    if name == "outbound":
        return OutboundToken(session)
    return OidcToken(_file(token_file()))


def token_file(given: str | None = None) -> str:
    """The path of the file that `token-file` means.

    Raises:
        ConfigError: None is named.
    """
    environ = os.environ
    path = (
        given
        or environ.get("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE")
        or environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    )
    if not path:
        raise ConfigError(
            "A token file is to be sent to Google, and none is named.",
            fix="set GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE to the path of a projected "
            "serviceAccountToken.",
            error_id="config/google-source",
        )
    return path


def _found(federation: Federation, session: Any) -> tuple[SubjectTokenSource, str]:
    """A token that was made for this pool, else the AWS identity.

    IRSA's token is made for AWS's STS, so a provider of OIDC takes it only where it was told to:
    its file is sent unasked only where the token says that it is for the pool. AWS's outbound
    token needs what a signed request needs, and an account that was set up for it: never a guess.
    """
    if session is not None:
        return SignedRequest(session), "a session was given"
    path = os.environ.get("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE")
    if path:
        return OidcToken(_file(path)), "GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE names it"
    path = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if path and _is_for(federation, path):
        return OidcToken(_file(path)), "AWS_WEB_IDENTITY_TOKEN_FILE is for this provider"
    return SignedRequest(), "no token file here is for this provider"


def _file(path: str) -> Callable[[], str]:
    from gcp_aws_bridge._token_file import TokenFile  # loaded where there is one

    return TokenFile(path)


def _is_for(federation: Federation, path: str) -> bool:
    from gcp_aws_bridge import _id_token

    try:
        audiences = _id_token.parse(_file(path)(), origin="The token file").audience
    except BridgeError:
        return False
    return not {federation.audience, federation.pool_audience}.isdisjoint(audiences)


def _of_document(document: Mapping[str, Any], session: Any) -> tuple[SubjectTokenSource, str]:
    source = document.get("credential_source")
    source = source if isinstance(source, Mapping) else {}
    why = "GOOGLE_APPLICATION_CREDENTIALS says so"
    if document.get("subject_token_type") == SIGNED_REQUEST:
        return SignedRequest(session), why
    form = source.get("format")
    if isinstance(source.get("file"), str) and form in (None, {}, {"type": "text"}):
        return OidcToken(_file(source["file"])), why
    executable = source.get("executable")
    command = executable.get("command") if isinstance(executable, Mapping) else None
    if isinstance(command, str) and command.endswith(OUTBOUND_COMMAND):
        return OutboundToken(session), why  # what it would do, and without another process
    raise ConfigError(
        "The credential configuration file has a credential_source that is neither AWS's, nor a "
        "file of text, nor gcp-aws-bridge google-token.",
        fix='give source= ("signed-request", "token-file", "outbound" or a callable), or have '
        "google-auth read the file.",
        error_id="config/google-source",
    )


def unknown(given: object) -> ConfigError:
    """What was given is no source."""
    return ConfigError(
        f"{quoted(given)} ({type(given).__name__}) is no source of a subject token.",
        fix=f"give one of {', '.join(_NAMES)}, or a callable that returns an OIDC token.",
        error_id="config/google-source",
    )
