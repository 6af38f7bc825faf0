"""Checks, in their order, after STS answers AccessDenied to a valid ID token.

AWS returns the same answer for a role that does not exist and for a trust policy that does not
admit the token. Either side may be wrong: the workload chooses the token's audience and account.
The library's error and the doctor share this text.
"""

from __future__ import annotations

import json

from gcp_aws_bridge._tokens.id_token import GOOGLE_ISSUERS, IdToken, claims_of
from gcp_aws_bridge.config import DEFAULT_AUDIENCE, Role
from gcp_aws_bridge.exceptions import ConfigError, quoted

# Compute Engine, "Service accounts": the default account of an instance, and so of a GKE node.
_NODE = "-compute@developer.gserviceaccount.com"


def issuer_of(token: IdToken) -> str:
    """Return the issuer for a message."""
    return quoted(token.issuer, 100)


def is_default(audience: str) -> bool:
    """Return whether *audience* is the default, which a role with its own audience rejects."""
    return audience == DEFAULT_AUDIENCE


def aws_audience_of(token: IdToken) -> str:
    """Return the value that AWS compares with the client ids of an IAM OIDC provider."""
    from gcp_aws_bridge.policy import aws_audience

    party = () if token.authorized_party is None else (token.authorized_party,)
    return aws_audience(token.audience, party)[0][0]


def kind_of_account(token: IdToken) -> str:
    """Return a description of accounts that are rarely intended, or ""."""
    from gcp_aws_bridge.policy import CLIENT, EMAIL, kind_of  # slow import, for a rare error

    if token.issuer not in GOOGLE_ISSUERS:
        return ""
    if (token.email or "").endswith(_NODE):
        return "the default account of the node or instance, not one of the workload's own"
    return {
        EMAIL: "from a key file, since azp is the e-mail",
        CLIENT: "a person's login, since azp is an OAuth client",
    }.get(kind_of(token.authorized_party or ""), "")


def checks(token: IdToken, role: Role) -> str:
    """Return the checks in order: role, audience, account, and the trust policy last."""
    audience = f"the audience: {quoted(role.audience, 60)}"
    if is_default(role.audience):
        audience += " is the default, set the role's own if it has one (GCP_AWS_BRIDGE_AUDIENCE)"
    elif token.issuer not in GOOGLE_ISSUERS:
        audience += " (of the token's volume)"
    who = "account" if token.issuer in GOOGLE_ISSUERS else "Kubernetes service account"
    order = f"1. the role exists; 2. {audience}; 3. the {who}; 4. the trust policy."
    return f"check in this order: {order}"


def claims(token: IdToken) -> str:
    """Return the claims that AWS compares, and the kind of account."""
    email = f" ({quoted(token.email)})" if token.email else ""
    kind = kind_of_account(token)
    return (
        f"The token has iss={quoted(token.issuer)}, azp={_shown(token.authorized_party)}, "
        f"aud={_shown(', '.join(token.audience))}, sub={_shown(token.subject)}{email}"
        + (f", which is {kind}." if kind else ".")
    )


def statement(token: IdToken, role: Role) -> str:
    """Return the statement of a trust policy that admits only *token*, as JSON.

    Raises:
        ConfigError: The token has claims that no policy can match.
    """
    from gcp_aws_bridge.policy import statement_for

    _, partition, _, _, account_id, _ = role.arn.split(":", 5)
    return json.dumps(statement_for(claims_of(token), account_id=account_id, partition=partition))


def how_to_admit(token: IdToken, role: Role) -> str:
    """Return the statement, and when to add it to the trust policy."""
    try:
        needed = statement(token, role)
    except ConfigError as error:  # a token that no policy can match
        return f"No trust policy can admit this token, look at its source: {error.args[0]}"
    own = " and the role has no audience of its own" if is_default(role.audience) else ""
    return f"If 1 to 3 are right{own}, the trust policy needs this statement: {needed}"


def _shown(claim: str | None) -> str:
    return "none" if claim is None else quoted(claim)
