"""Which subject token this machine is to show: the one that was asked for, else the one it has.

Which of them a provider takes was decided when it was made (an AWS provider, or one of OIDC), and
cannot be seen from here. Reads `GCP_AWS_BRIDGE_GOOGLE_SOURCE`, `GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE`
and `AWS_WEB_IDENTITY_TOKEN_FILE`. What reads OIDC tokens is loaded where there is one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, quoted
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._subject_tokens import (
    SIGNED_REQUEST,
    OfAws,
    SignedRequest,
    SubjectTokenSource,
)

_log = logging.getLogger("gcp_aws_bridge")
_NAMES = ("signed-request", "token-file", "outbound")
# What google-config writes as the command of an executable; before it, where this package is.
OUTBOUND_COMMAND = " google-token --executable --source outbound"


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
    given = None if given == "" else given
    if given is None and (named := os.environ.get("GCP_AWS_BRIDGE_GOOGLE_SOURCE")):
        given, why = named, "GCP_AWS_BRIDGE_GOOGLE_SOURCE says so"
    if isinstance(given, str):
        return _named(given, session), why
    if isinstance(given, OfAws):
        return given, why
    if callable(given) and not isinstance(given, type):  # SignedRequest() was meant
        return _oidc(given), why
    if given is not None:
        raise unknown(given)
    return _of_document(document, session) if document else _found(federation, session)


def _named(name: str, session: Any) -> SubjectTokenSource:
    if name not in _NAMES:
        raise unknown(name)
    if name == "signed-request":
        return SignedRequest(session)
    if name == "outbound":
        return _outbound(session)
    return _file(token_file())


@without_inner_frames  # the environment may hold keys
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
        return _file(path), "GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE names it"
    path = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if path and _is_for(federation, path):
        return _file(path), "AWS_WEB_IDENTITY_TOKEN_FILE is for this provider"
    return SignedRequest(), "no token file here is for this provider"


def _file(path: str) -> SubjectTokenSource:
    from gcp_aws_bridge._tokens.token_file import TokenFile

    return _oidc(TokenFile(path))


def _oidc(source: Callable[[], str]) -> SubjectTokenSource:
    from gcp_aws_bridge.google._oidc_token import OidcToken

    return OidcToken(source)


def _outbound(session: Any) -> SubjectTokenSource:
    from gcp_aws_bridge.google._outbound import OutboundToken

    return OutboundToken(session)


@without_inner_frames
def _is_for(federation: Federation, path: str) -> bool:
    from gcp_aws_bridge._tokens import id_token
    from gcp_aws_bridge._tokens.token_file import TokenFile

    try:
        audiences = id_token.parse(TokenFile(path)(), origin="The token file").audience
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
        return _file(source["file"]), why
    executable = source.get("executable")
    command = executable.get("command") if isinstance(executable, Mapping) else None
    if isinstance(command, str) and command.endswith(OUTBOUND_COMMAND):
        return _outbound(session), why  # what it would do, and without another process
    raise ConfigError(
        "The credential configuration file has a credential_source that is neither AWS's, nor a "
        "file of text, nor gcp-aws-bridge google-token.",
        fix="set GCP_AWS_BRIDGE_GOOGLE_SOURCE=signed-request where the provider is of AWS; else "
        "give source=, or have google-auth read the file.",
        error_id="config/google-source",
    )


def unknown(given: object) -> ConfigError:
    """Return the error for a *source* that is none."""
    return ConfigError(
        f"The source {quoted(given)} ({type(given).__name__}) is no source of a subject token.",
        fix=f"give one of {', '.join(_NAMES)}, or a callable that returns an OIDC token.",
        error_id="config/google-source",
    )
