"""Checks the settings: provider, service account and subject token, and where each was found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace

from gcp_aws_bridge.doctor import injected
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.settings import require_readable
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.google._aws_identity import AwsIdentity
from gcp_aws_bridge.google._federation import configured
from gcp_aws_bridge.google._outbound import OutboundToken
from gcp_aws_bridge.google._sources import chosen
from gcp_aws_bridge.google._subject_tokens import SignedRequest

_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_VARIABLES = {
    "audience": "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE",
    "service_account": "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT",
}
_SUBJECT_TOKENS = {
    SignedRequest: "a signed GetCallerIdentity request",
    OutboundToken: "a token that AWS signs (sts:GetWebIdentityToken)",
}


def check(context: GoogleContext) -> Iterator[Finding]:
    """Read the settings of the provider.

    Raises:
        ConfigError: There is no provider, or a setting is malformed.
    """
    options = context.arguments
    try:
        context.federation, document = configured(
            **{name: options.get(name) for name in (*_VARIABLES, "lifetime_s")}
        )
    except ConfigError as error:
        found = injected.not_injected("google-serve", context.timeout_s)
        if error.error_id != "config/google-none" or found is None:
            raise
        yield replace(found, link="settings")
        return
    session = context.session if context.is_own else None
    context.source, reason = chosen(options.get("source"), session, context.federation, document)
    if not context.is_file:
        require_readable(context.session)
    subject_token = _SUBJECT_TOKENS.get(type(context.source), "the token in a file")
    summary = "; ".join(_summary(context, name) for name in _VARIABLES)
    yield Finding("settings", "ok", f"{summary}; Google is sent {subject_token}, since {reason}.")
    if not document:
        yield from _other_file(context)


def region_of(context: GoogleContext) -> str:
    """Return the region whose STS is called, as the library chooses it."""
    return AwsIdentity(context.session if context.is_own else None).region()


def _summary(context: GoogleContext, name: str) -> str:
    words, value = name.replace("_", " "), getattr(context.federation, name)
    if not value:
        return f"no {words}"
    source = f"the file that {_FILE} names"
    if context.arguments.get(name):
        source = "the command line"
    elif os.environ.get(_VARIABLES[name]):
        source = _VARIABLES[name]
    return f"{words} {quoted(value)} from {source}"


def _other_file(context: GoogleContext) -> Iterator[Finding]:
    """Warn about a file that clients without credentials use instead."""
    path = os.environ.get(_FILE)
    if not path:
        return
    try:
        with open(path, "rb") as file:  # as the library reads it
            found = json.load(file)
        kind, audience = found.get("type"), found.get("audience")
    except (OSError, ValueError, AttributeError, RecursionError):
        kind = audience = None
    if context.federation and audience == context.federation.audience:
        return
    what = f"a file of type {quoted(kind)}" if kind else "a file without credentials"
    yield Finding(
        "settings",
        "warning",
        f"{_FILE} names {what}, which is another identity than this: clients without credentials "
        "of their own use it, and so do Google's libraries in other languages.",
        wanted="One identity, from one place.",
        fix=f"unset {_FILE}",
        id="doctor/google-key-file",
    )
