"""Checks the subject token before it is sent to Google."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace

from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge.doctor.context import required, summary_of
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.network import late_fix
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import TokenError, quoted
from gcp_aws_bridge.google._subject_tokens import OfAws, SignedRequest


def check_token(context: GoogleContext) -> Iterator[Finding]:
    """Make or read the subject token.

    Raises:
        BridgeError: There is no subject token, or Google would reject it.
    """
    source = required(context.source)
    if isinstance(source, OfAws):
        source = replace(source, session=context.session)
    origin = "The token file" if context.is_file else "AWS's outbound identity federation"
    late = TokenError(
        f"{origin} returned nothing within {context.timeout_s:g} s.",
        fix="time aws sts get-caller-identity\n"
        + late_fix(context.sts.url if context.sts else "https://sts.amazonaws.com"),
        error_id="doctor/subject-timeout",
    )
    try:
        audience = required(context.federation).audience
        context.subject = context.within(lambda: source(audience), late)
    except TokenError as error:
        if error is late:
            raise
        yield _with_policy(context, Finding.of("token", error))
        return
    if isinstance(source, SignedRequest):
        seen = f"GetCallerIdentity, signed for {context.region}. Google will send it to AWS."
        yield Finding("token", "ok", seen)
        return
    context.token = id_token.parse(context.subject.value, origin=origin)
    yield from _judged(context, context.token, origin)


def _judged(context: GoogleContext, token: id_token.IdToken, origin: str) -> Iterator[Finding]:
    now = context.world.clock()
    # With the token's own audience, which the provider may allow: times are checked.
    id_token.check(token, audience=token.audience[0], now=now, origin=origin)
    yield Finding("token", "ok", summary_of(token, now))
    federation = required(context.federation)
    if {federation.audience, federation.pool_audience}.isdisjoint(token.audience):
        yield Finding(
            "token",
            "warning",
            f"The token is for {quoted(', '.join(token.audience))}, not for this provider: Google "
            "accepts it only if the provider allows that audience.",
            wanted=f"A token for {federation.pool_audience}.",
            fix=_right_audience(context),
            id="doctor/subject-audience",
            explains=("doctor/google-audience",),
        )


def _right_audience(context: GoogleContext) -> str:
    if not context.is_file:
        return 'OutboundToken() without audience=, or allow the other: see "exchange"'
    audience = required(context.federation).pool_audience
    lines = [
        f"project a serviceAccountToken with audience: {shlex.quote(audience)}",
        "gcp-aws-bridge setup --on eks-issuer writes it",
    ]
    is_irsa = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if is_irsa and not os.environ.get("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE"):
        lines.append("unset GCP_AWS_BRIDGE_GOOGLE_SOURCE")
    return "\n".join(lines)


def _with_policy(context: GoogleContext, found: Finding) -> Finding:
    """Add the policy that allows tokens for this provider only, if AWS denied one."""
    if found.id != "token/outbound-denied":
        return found
    audience = required(context.federation).audience
    statement = {
        "Effect": "Allow",
        "Action": "sts:GetWebIdentityToken",
        "Resource": "*",
        # The condition key of the IAM user guide, "Outbound identity federation".
        "Condition": {
            "ForAllValues:StringEquals": {
                "sts:IdentityTokenAudience": [audience, f"https:{audience}"]
            }
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = context.caller.split("/")[1] if ":assumed-role/" in context.caller else "ROLE"
    return replace(
        found,
        wanted=document,
        fix=f"aws iam put-role-policy --role-name {shlex.quote(role)} "
        f"--policy-name gcp-aws-bridge-token --policy-document {shlex.quote(document)}",
    )
