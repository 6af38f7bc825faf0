"""Choice of the subject token source: the configured source, or the source of this machine.

The kind of the provider (AWS or OIDC) determines which subject token it accepts; it cannot be
looked up here. Reads `GCP_AWS_BRIDGE_GOOGLE_SOURCE`, `GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE` and
`AWS_WEB_IDENTITY_TOKEN_FILE`. Code for OIDC tokens is imported only if it is needed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, quoted
from gcp_aws_bridge.google._configuration import OUTBOUND_COMMAND
from gcp_aws_bridge.google._federation import SIGNED_REQUEST, Federation
from gcp_aws_bridge.google._subject_tokens import OfAws, SignedRequest, SubjectTokenSource

_log = logging.getLogger("gcp_aws_bridge")
_NAMES = ("signed-request", "token-file", "outbound")


def choose(
    requested: Any, session: Any, federation: Federation, document: Mapping[str, Any]
) -> SubjectTokenSource:
    """Return the source of `chosen`, and log the reason."""
    found, why = chosen(requested, session, federation, document)
    _log.debug("%s: subject token from %s: %s", federation.label, type(found).__name__, why)
    return found


def chosen(
    requested: Any, session: Any, federation: Federation, document: Mapping[str, Any]
) -> tuple[SubjectTokenSource, str]:
    """Return the configured source, or the source of this machine, and the reason.

    Args:
        requested: A source, the name of a source, a callable that returns an OIDC token, or None.
        session: A boto3 or botocore session, or None.
        federation: The provider.
        document: Content of the credential configuration file; empty without a file.

    Raises:
        ConfigError: The source is unknown, or a setting for it is missing.
    """
    why = "it was requested"
    requested = None if requested == "" else requested
    if requested is None and (named := os.environ.get("GCP_AWS_BRIDGE_GOOGLE_SOURCE")):
        requested, why = named, "GCP_AWS_BRIDGE_GOOGLE_SOURCE is set"
    if isinstance(requested, str):
        return _named(requested, session), why
    if isinstance(requested, OfAws):
        return requested, why
    if callable(requested) and not isinstance(requested, type):  # a class such as SignedRequest
        return _oidc(requested), why
    if requested is not None:
        raise unknown(requested)
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
def token_file(path: str | None = None) -> str:
    """Return the path of the file for the source `token-file`.

    Raises:
        ConfigError: No file is configured.
    """
    environ = os.environ
    path = (
        path
        or environ.get("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE")
        or environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    )
    if not path:
        raise ConfigError(
            "The source token-file needs the path of a token file, and none is set.",
            fix="set GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE to the path of a projected "
            "serviceAccountToken.",
            error_id="config/google-source",
        )
    return path


def _found(federation: Federation, session: Any) -> tuple[SubjectTokenSource, str]:
    """Return a token file for this pool, or the AWS identity.

    IRSA's token file is used only if its audience is the pool: its usual audience is AWS STS, which
    few OIDC providers allow. AWS's outbound token needs an account that is set up for it, and is
    never chosen by default.
    """
    if session is not None:
        return SignedRequest(session), "a session is an argument"
    path = os.environ.get("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE")
    if path:
        return _file(path), "GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE is set"
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
    why = "GOOGLE_APPLICATION_CREDENTIALS has it"
    if document.get("subject_token_type") == SIGNED_REQUEST:
        return SignedRequest(session), why
    form = source.get("format")
    if isinstance(source.get("file"), str) and form in (None, {}, {"type": "text"}):
        return _file(source["file"]), why
    executable = source.get("executable")
    command = executable.get("command") if isinstance(executable, Mapping) else None
    if isinstance(command, str) and command.endswith(OUTBOUND_COMMAND):
        return _outbound(session), why  # the same as the command, without another process
    raise ConfigError(
        "The credential configuration file has a credential_source that is neither AWS's, nor a "
        "file of text, nor gcp-aws-bridge google-token.",
        fix="for an AWS provider, set GCP_AWS_BRIDGE_GOOGLE_SOURCE=signed-request; otherwise pass "
        "source=, or use google-auth to read the file.",
        error_id="config/google-source",
    )


def unknown(source: object) -> ConfigError:
    """Return the error for an unknown *source*."""
    return ConfigError(
        f"The source {quoted(source)} ({type(source).__name__}) is no source of a subject token.",
        fix=f"pass one of {', '.join(_NAMES)}, or a callable that returns an OIDC token.",
        error_id="config/google-source",
    )
