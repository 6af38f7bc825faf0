"""Why AWS denied a valid token: the role as it is, beside what the token has.

Either side may be wrong. So the audience and the account of the token are looked at before the
policy, and a command that changes the policy leaves the rest of it as it is: it never replaces an
audience of the role's own by the default.

Reading the role takes AWS keys with `iam:GetRole`: those of the environment or of the profile's
files, and no others, since botocore's other providers are slow, or this library itself.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import Any

import botocore.exceptions
from botocore.config import Config
from botocore.credentials import CredentialResolver

from gcp_aws_bridge import policy
from gcp_aws_bridge._settings import given, look_up
from gcp_aws_bridge._sts import denied as _denied
from gcp_aws_bridge._tokens.id_token import GOOGLE_ISSUERS, IdToken
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import differences
from gcp_aws_bridge.doctor.context import Walk, left
from gcp_aws_bridge.doctor.differences import Comparison, Difference
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, quoted
from gcp_aws_bridge.policy import aws_audience

_KEY_PROVIDERS = frozenset({"env", "shared-credentials-file", "config-file"})
_GOOGLE_PROVIDER = "oidc-provider/accounts.google.com"


def explain(walk: Walk, error: ExchangeError) -> Finding | None:
    """Return the finding for an error that the account's or role's set-up explains, or None."""
    role, token = left(walk.role), left(walk.token)
    google = token.issuer in GOOGLE_ISSUERS
    if error.error_id == "exchange/invalid-token" and google and "audience" in str(error).lower():
        return _google_provider(role, token, error)
    if error.error_id != "exchange/denied":
        return None
    return _denied_token(walk, role, token)


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


def _denied_token(walk: Walk, role: Role, token: IdToken) -> Finding:
    try:
        statement = _denied.statement(token, role)
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
            return _no_such_role(role, statement)
        found, why_not = None, f"iam:GetRole was refused ({quoted(code)})"
    except (botocore.exceptions.BotoCoreError, ValueError, TimeoutError) as failed:
        found, why_not = None, f"IAM was not reached ({type(failed).__name__})"
    if found is None:
        return _unread(walk, role, token, why_not, statement)
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
    return _compared(walk, role, token, document, statement)


def _unread(walk: Walk, role: Role, token: IdToken, why_not: str, statement: str) -> Finding:
    """Return what to check, in order, where the trust policy cannot be read."""
    place = audience_place(walk)
    audience = f"The audience, {quoted(role.audience)}, comes from {place}."
    steps = [
        f"{_get_role(role)}   # in account {role.arn.split(':')[4]}; NoSuchEntity: no such role",
        f"where there is no such role: {_create_role(role, statement)}",
        f"{_set_audience(place, 'AUDIENCE')}   # the policy's audience, if it names another",
    ]
    own = ""
    if _denied.is_default(role.audience):
        audience = (
            f"The audience, {quoted(role.audience)}, is the default"
            + ("" if place == _DEFAULT else f" (from {place})")
            + ": a role with an audience of its own refuses it, and then this setting is wrong, "
            "not the policy."
        )
        own = ", and the role has no audience of its own"
    steps.append(f"is {_who(token)} who should have the role? If not, correct the workload")
    steps.append(f"if so{own}: add this statement to the policy:\n{statement}")
    return _broken(
        f"AWS denied {role.arn} to an ID token of {_denied.issuer_of(token)}: its trust policy "
        "does not admit the token, or there is no such role. AWS says the same of both, and "
        f"{why_not}. {audience} {_denied.claims(token)}",
        "A role that exists, with a trust policy that names the audience and the account of this "
        "token.",
        "\n".join(steps),
        "exchange/denied",
    )


def _compared(
    walk: Walk, role: Role, token: IdToken, document: dict[str, Any], statement: str
) -> Finding:
    account_id = role.arn.split(":")[4]
    try:
        compared = differences.compare(document, token, account_id)
    except ConfigError as error:
        compared = Comparison(False, str(error.args[0]), is_denied=True)
    there = f"The policy: {json.dumps(document, separators=(',', ':'))}"
    if compared.allowed:
        return _broken(
            f"The trust policy of {role.arn} admits this token, and STS refused it: the policy "
            "was changed this minute, or a service or resource control policy of the "
            f"organization forbids it. {there}",
            "No policy of the organization that forbids sts:AssumeRoleWithWebIdentity.",
            "try again in a minute\naws organizations list-policies --filter "
            "SERVICE_CONTROL_POLICY",
            "doctor/not-the-role",
        )
    differing = compared.differences
    refused = f"The trust policy of {role.arn} does not admit this token: "
    if audiences := [one for one in differing if one.is_audience(token) and one.audience()]:
        return _other_audience(walk, token, audiences[0], f"{refused}{_seen(differing)}. {there}")
    seen = f"{refused}{_seen(differing) or compared.reasons}. {_denied.claims(token)} {there}"
    edited = differences.corrected(document, differing, token, json.loads(statement))
    if compared.is_denied or not differences.compare(edited, token, account_id).allowed:
        fix = f"{_get_role(role)}   # and change what is named above"
        return _broken(seen, "A trust policy that admits this token.", fix, "doctor/trust-policy")
    wanted = json.dumps(edited)
    fix = (
        f"if {_who(token)} should have the role (all else in the policy stays as it is):\n"
        f"aws iam update-assume-role-policy --role-name {_name(role)} "
        f"--policy-document {shlex.quote(wanted)}"
    )
    return _broken(seen, wanted, fix, "doctor/trust-policy")


def _seen(differing: tuple[Difference, ...]) -> str:
    return differences.only_these(differing)


def _other_audience(walk: Walk, token: IdToken, wanted: Difference, seen: str) -> Finding:
    """Return the finding for a setting of the workload that the role's policy contradicts."""
    place = audience_place(walk)
    audience = wanted.audience()
    fix = [_set_audience(place, audience)]
    if token.issuer not in GOOGLE_ISSUERS:
        fix.append(
            f"and in the pod's volume: serviceAccountToken.audience: {shlex.quote(audience)}"
        )
    return _broken(
        f"{seen} The token's audience comes from {place}.",
        f"A token for the audience {quoted(audience)}, which the role's trust policy names.",
        "\n".join(fix),
        "doctor/audience",
    )


_DEFAULT = "the default"


def audience_place(walk: Walk) -> str:
    """Return where the role's audience was set: an option, a variable, a profile key."""
    arguments = given(walk.arguments)
    if "audience" in arguments:
        return "the command line"
    named = walk.session.instance_variables().get("profile") is not None
    found = look_up(arguments, {} if named else os.environ, walk.session.get_scoped_config())
    if "audience" in found:
        return found["audience"][1]
    return f"{_DEFAULT} of a named profile, without gcp_audience" if named else _DEFAULT


def _set_audience(place: str, audience: str) -> str:
    """Return how to set *audience* where it counts."""
    if place == "the command line":
        return f"--audience {shlex.quote(audience)}"
    if "profile" in place:
        return f"gcp_audience = {audience}   # in the AWS profile"
    return f"export GCP_AWS_BRIDGE_AUDIENCE={shlex.quote(audience)}"


def _who(token: IdToken) -> str:
    """Return the account of *token*, and what kind of account it is where that matters."""
    kind = _denied.kind_of_account(token)
    return quoted(token.email or token.subject) + (f", {kind}," if kind else "")


def read_role(walk: Walk, role: Role) -> tuple[Mapping[str, Any] | None, str]:
    """Return what IAM says of the role; or None, and why IAM was not asked.

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
        [one for one in providers if one.METHOD in _KEY_PROVIDERS]
    ).load_credentials()
    return keys.get_frozen_credentials() if keys else None


def _no_such_role(role: Role, statement: str) -> Finding:
    return _broken(
        f"There is no role {_name(role)} in the account of the AWS keys here (AWS says of a role "
        "that does not exist what it says of one that does not admit the token).",
        f"{role.arn}, in account {role.arn.split(':')[4]}.",
        "aws sts get-caller-identity\naws iam list-roles --query 'Roles[].Arn'\n"
        "where it has the role under another name: export GCP_AWS_BRIDGE_ROLE_ARN=ARN\n"
        f"else create the role: {_create_role(role, statement)}",
        "doctor/no-such-role",
    )


def _create_role(role: Role, statement: str) -> str:
    """Return the command that creates the role with a trust policy of *statement* alone."""
    trust = json.dumps(policy.policy_of(json.loads(statement)))
    path = role.arn.partition(":role")[2].rpartition("/")[0] + "/"
    return (
        f"aws iam create-role --role-name {_name(role)} "
        + (f"--path {shlex.quote(path)} " if path != "/" else "")
        + f"--assume-role-policy-document {shlex.quote(trust)}"
    )


def _get_role(role: Role) -> str:
    return f"aws iam get-role --role-name {_name(role)} --query Role.AssumeRolePolicyDocument"


def _name(role: Role) -> str:
    return shlex.quote(role.arn.rpartition("/")[2])


def _broken(seen: str, wanted: str, fix: str, finding_id: str) -> Finding:
    return Finding("exchange", "broken", seen, wanted=wanted, fix=fix, id=finding_id)
