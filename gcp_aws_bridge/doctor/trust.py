"""Why AWS did not admit a valid token: the role as it is, beside what it needs.

Reading takes AWS keys of somebody's own, with `iam:GetRole`: those of the environment or of the
profile's files, and no others, since every other road of botocore's chain is slow or this one.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

import botocore.exceptions
from botocore.config import Config
from botocore.credentials import CredentialResolver

from gcp_aws_bridge import _id_token, policy
from gcp_aws_bridge._id_token import GOOGLE_ISSUERS, IdToken
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.walk import Walk, left, named
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, quoted
from gcp_aws_bridge.policy import aws_audience

_KEY_ROADS = frozenset({"env", "shared-credentials-file", "config-file"})
_GOOGLE_PROVIDER = "oidc-provider/accounts.google.com"


def explain(walk: Walk, error: ExchangeError) -> Finding | None:
    """The finding for a refusal that lies in the account's or role's set-up; None for others."""
    role, token = left(walk.role), left(walk.token)
    google = token.issuer in GOOGLE_ISSUERS
    if error.error_id == "exchange/invalid-token" and google and "audience" in str(error).lower():
        return _google_provider(role, token, error)
    if error.error_id != "exchange/denied":
        return None
    return _denied(walk, role, token)


def _google_provider(role: Role, token: IdToken, error: ExchangeError) -> Finding:
    party = () if token.authorized_party is None else (token.authorized_party,)
    client_id = aws_audience(token.audience, party)[0][0]
    arn = f"arn:{role.partition}:iam::{role.arn.split(':')[4]}:{_GOOGLE_PROVIDER}"
    return _broken(
        "The account has an IAM OIDC provider for accounts.google.com, which replaces the built-in "
        f"one, and its client ids do not have this token's azp: {error.args[0]}",
        "No such provider: AWS trusts Google without one.",
        f"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {arn}\n"
        "or add azp of the token: aws iam add-client-id-to-open-id-connect-provider "
        f"--open-id-connect-provider-arn {arn} --client-id {shlex.quote(client_id)}",
        "doctor/google-provider",
    )


def _denied(walk: Walk, role: Role, token: IdToken) -> Finding:
    try:
        wanted = wanted_policy(token, role)
    except ConfigError as error:
        return _broken(
            f"AWS refuses the token, which no trust policy can name: {error.args[0]}",
            "A token with claims that a policy can pin.",
            error.fix,
            "exchange/denied",
        )
    try:
        found, why_not = read_role(walk, role)
    except botocore.exceptions.ClientError as refused:
        code = refused.response.get("Error", {}).get("Code", "")
        if code == "NoSuchEntity":
            return _no_such_role(role)
        found, why_not = None, f"iam:GetRole was refused ({quoted(code)})"
    except (botocore.exceptions.BotoCoreError, ValueError, TimeoutError) as failed:
        found, why_not = None, f"IAM was not reached ({type(failed).__name__})"
    if found is None:
        return _broken(
            f"AWS refuses the token: the trust policy of {role.arn} does not admit it, or there is "
            f"no such role. AWS says the same of both, and {why_not}. {_claims(token)}",
            wanted,
            f"aws iam get-role --role-name {_name(role)} "
            "--query Role.AssumeRolePolicyDocument\n" + _update(role, wanted),
            "exchange/denied",
        )
    return _compared(role, token, found, wanted)


def _compared(role: Role, token: IdToken, found: Mapping[str, Any], wanted: str) -> Finding:
    if found["Arn"] != role.arn:
        return _broken(
            f"The role is {quoted(found['Arn'], 2048)}; {role.arn} was asked for.",
            "The ARN with its path, and of the right account.",
            f"export GCP_AWS_BRIDGE_ROLE_ARN={shlex.quote(found['Arn'])}",
            "doctor/role-arn",
        )
    document = found["AssumeRolePolicyDocument"]
    if isinstance(document, str):
        document = json.loads(document)
    admitted, why = verdict(document, token, role.arn.split(":")[4])
    there = json.dumps(document, separators=(",", ":"))
    if admitted:
        return _broken(
            f"The trust policy of {role.arn} admits this token, and STS refused it: the policy "
            "was changed this minute, or a service or resource control policy of the "
            f"organization forbids it. The policy: {there}",
            "No policy of the organization that forbids sts:AssumeRoleWithWebIdentity.",
            "try again in a minute\naws organizations list-policies --filter "
            "SERVICE_CONTROL_POLICY",
            "doctor/not-the-role",
        )
    return _broken(
        f"The trust policy of {role.arn} does not admit this token: {why}. {_claims(token)} "
        f"The policy: {there}",
        wanted,
        _update(role, wanted),
        "doctor/trust-policy",
    )


def verdict(document: Any, token: IdToken, account_id: str) -> tuple[bool, str]:
    """Whether a trust policy admits a token; and if not, what does not hold."""
    try:
        decision = policy.evaluate(document, _id_token.claims_of(token), account_id=account_id)
    except ConfigError as error:
        return False, str(error.args[0])
    against = [
        f"Statement[{one.index}] ({one.effect}) {reason}"
        for one in decision.statements
        for reason in one.reasons
        if (one.effect == "Deny") is reason.startswith("holds")
    ]
    return decision.allowed, "; ".join(against)


def wanted_policy(token: IdToken, role: Role) -> str:
    """The trust policy that admits *token* and nothing else, as JSON.

    Raises:
        ConfigError: It has claims that no policy can pin.
    """
    account_id, claims = role.arn.split(":")[4], _id_token.claims_of(token)
    statement = policy.statement_for(claims, account_id=account_id, partition=role.partition)
    return json.dumps(policy.policy_of(statement))


def read_role(walk: Walk, role: Role) -> tuple[Mapping[str, Any] | None, str]:
    """What IAM says of the role; or None, and why it was not asked.

    Raises:
        ClientError, BotoCoreError, TimeoutError: It was, and refused or was not reached.
    """
    keys = _keys(walk)
    if keys is None:
        return None, "there are no AWS keys here to read the role with"
    short = Config(
        connect_timeout=walk.inner_timeout_s,
        read_timeout=walk.inner_timeout_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    client: Any = walk.session.create_client(
        "iam",
        region_name=walk.sts.region_name if walk.sts else None,
        config=short,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )
    try:
        name = role.arn.rpartition("/")[2]
        found = walk.within(lambda: client.get_role(RoleName=name)["Role"])
    finally:
        client.close()
    return found, ""


def _keys(walk: Walk) -> Any:
    providers = walk.session.get_component("credential_provider").providers
    keys = CredentialResolver(
        [one for one in providers if one.METHOD in _KEY_ROADS]
    ).load_credentials()
    return keys.get_frozen_credentials() if keys else None


def _no_such_role(role: Role) -> Finding:
    return _broken(
        f"There is no role {_name(role)} in the account of the AWS keys here (AWS says of a role "
        "that does not exist what it says of one that does not admit the token).",
        f"{role.arn}, in account {role.arn.split(':')[4]}.",
        "aws sts get-caller-identity\naws iam list-roles --query 'Roles[].Arn'",
        "doctor/no-such-role",
    )


def _update(role: Role, document: str) -> str:
    return (
        "if this is who should have the role (it replaces the whole policy: keep the rest of it):\n"
        f"aws iam update-assume-role-policy --role-name {_name(role)} "
        f"--policy-document {shlex.quote(document)}"
    )


def _name(role: Role) -> str:
    return shlex.quote(role.arn.rpartition("/")[2])


def _claims(token: IdToken) -> str:
    return f"The token has {named(token)}."


def _broken(seen: str, wanted: str, fix: str, finding_id: str) -> Finding:
    return Finding("exchange", "broken", seen, wanted=wanted, fix=fix, id=finding_id)
