"""The first link: which provider and service account, what is shown to Google, and whence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.settings import require_readable
from gcp_aws_bridge.exceptions import quoted
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
_KINDS = {
    SignedRequest: "a signed GetCallerIdentity request",
    OutboundToken: "a token that AWS signs (sts:GetWebIdentityToken)",
}


def check(walk: Walk) -> Iterator[Finding]:
    """Find the provider.

    Raises:
        ConfigError: None, or a malformed setting.
    """
    given = {name: walk.arguments.get(name) for name in ("audience", "service_account")}
    walk.federation, document = configured(**given, lifetime_s=walk.arguments.get("lifetime_s"))
    session = walk.session if walk.is_own else None
    walk.source, why = chosen(walk.arguments.get("source"), session, walk.federation, document)
    if not walk.is_file:
        require_readable(walk.session)
    yield Finding("settings", "ok", f"{_told(walk, document)}; {_shown(walk)}, since {why}.")
    if not document:
        yield from _other_file(walk)


def region_of(walk: Walk) -> str:
    """Whose STS is asked, as the library chooses it."""
    return AwsIdentity(walk.session if walk.is_own else None).region()


def _told(walk: Walk, document: object) -> str:
    told = []
    for name, variable in _VARIABLES.items():
        value = getattr(walk.federation, name)
        place = (
            "the command line"
            if walk.arguments.get(name)
            else variable
            if os.environ.get(variable)
            else f"the file that {_FILE} names"
        )
        words = name.replace("_", " ")
        told.append(f"{words} {quoted(value)} from {place}" if value else f"no {words}")
    return "; ".join(told)


def _shown(walk: Walk) -> str:
    return f"Google is shown {_KINDS.get(type(walk.source), 'the token in a file')}"


def _other_file(walk: Walk) -> Iterator[Finding]:
    """What every client that is given no credentials takes instead."""
    path = os.environ.get(_FILE)
    if not path:
        return
    try:
        with open(path, "rb") as file:  # as the library reads it
            found = json.load(file)
        kind, audience = found.get("type"), found.get("audience")
    except (OSError, ValueError, AttributeError, RecursionError):
        kind = audience = None
    if walk.federation and audience == walk.federation.audience:
        return
    what = f"a file of type {quoted(kind)}" if kind else "no file of credentials"
    yield Finding(
        "settings",
        "warning",
        f"{_FILE} names {what}, which is another identity than this: clients that are given no "
        "credentials, gcloud's libraries in other languages among them, take it.",
        wanted="One identity, from one place.",
        fix=f"unset {_FILE}",
        id="doctor/google-key-file",
    )
