"""The subject token: made, or read, and whether it is worth showing to Google."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace

from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge.doctor.context import left, named
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.sts import host_of
from gcp_aws_bridge.exceptions import TokenError, quoted
from gcp_aws_bridge.google._subject_tokens import OfAws, SignedRequest

_ORIGIN = "The token file"


def check_token(walk: Walk) -> Iterator[Finding]:
    """Have the token that Google is to be shown.

    Raises:
        BridgeError: There is none, or it is of no use.
    """
    source = left(walk.source)
    if isinstance(source, OfAws):
        source = replace(source, session=walk.session)
    try:
        walk.subject = walk.within(lambda: source(left(walk.federation).audience))
    except TimeoutError:
        raise TokenError(
            f"{_name(walk)} gave nothing within {walk.timeout_s:g} s.",
            fix="time aws sts get-caller-identity\n"
            "where that is slow, gcp-aws-bridge doctor --timeout 10; where it hangs, let it pass "
            f"the firewall or proxy: port 443 of {host_of(walk.sts.url) if walk.sts else 'STS'}",
            error_id="doctor/subject-timeout",
        ) from None
    except TokenError as error:
        yield _outbound(walk, Finding.of("token", error))
        return
    if isinstance(source, SignedRequest):
        seen = f"GetCallerIdentity, signed for {walk.region}. Google is to send it to AWS."
        yield Finding("token", "ok", seen)
        return
    walk.token = token = id_token.parse(walk.subject.value, origin=_name(walk))
    yield from _judged(walk, token)


def _name(walk: Walk) -> str:
    return _ORIGIN if walk.is_file else "AWS's outbound identity federation"


def _judged(walk: Walk, token: id_token.IdToken) -> Iterator[Finding]:
    now = walk.world.clock()
    # Whatever audience it has: the provider may name it. The clocks and the end count.
    id_token.check(token, audience=token.audience[0], now=now, origin=_name(walk))
    left_s = (token.expiration - now).total_seconds()
    seen = f"iss={quoted(token.issuer)}, {named(token)}; {left_s / 60:.0f} minutes left."
    yield Finding("token", "ok", seen)
    federation = left(walk.federation)
    if {federation.audience, federation.pool_audience}.isdisjoint(token.audience):
        yield Finding(
            "token",
            "warning",
            f"The token is for {quoted(', '.join(token.audience))}, not for this provider: that "
            "is good only where the provider allows that audience.",
            wanted=f"A token for {federation.pool_audience}.",
            fix=_other_audience(walk),
            id="doctor/subject-audience",
            explains=("doctor/google-audience",),
        )


def _other_audience(walk: Walk) -> str:
    if not walk.is_file:
        return 'OutboundToken() without audience=, or allow the other: see "exchange"'
    audience = left(walk.federation).pool_audience
    unset = "unset GCP_AWS_BRIDGE_GOOGLE_SOURCE" * bool(
        os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        and not os.environ.get("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE")
    )
    project = f"project a serviceAccountToken with audience: {shlex.quote(audience)}"
    return "\n".join(
        filter(None, (project, "gcp-aws-bridge setup --on eks-issuer writes it", unset))
    )


def _outbound(walk: Walk, found: Finding) -> Finding:
    """With the policy that it takes, for this provider and no other."""
    if found.id != "token/outbound-denied":
        return found
    audience = left(walk.federation).audience
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
    role = walk.caller.split("/")[1] if ":assumed-role/" in walk.caller else "ROLE"
    return replace(
        found,
        wanted=document,
        fix=f"aws iam put-role-policy --role-name {shlex.quote(role)} "
        f"--policy-name gcp-aws-bridge-token --policy-document {shlex.quote(document)}",
    )
