"""Explains why AWS denied a valid token, by comparing the role with the token.

Either side may be wrong. So the audience and the account of the token are checked before the
policy, and a command that changes the policy leaves the rest of it unchanged: it never replaces an
audience of the role's own by the default.
"""

from __future__ import annotations

import json
import shlex
from functools import partial
from typing import Any

from gcp_aws_bridge import policy
from gcp_aws_bridge._sts import denied
from gcp_aws_bridge._tokens.id_token import GOOGLE_ISSUERS, IdToken
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor.context import AwsContext, required
from gcp_aws_bridge.doctor.differences import Comparison, Difference, compare, corrected, sentences
from gcp_aws_bridge.doctor.iam_role import NoSuchRole, NotRead, read_role
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.settings import has_profile, source_of_settings
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, quoted

_DEFAULT = "the default"
_broken = partial(Finding, "exchange", "broken")


def explain(context: AwsContext, error: ExchangeError) -> Finding | None:
    """Return the finding for an error that the account's or role's set-up explains, or None."""
    role, token = required(context.role), required(context.token)
    if error.error_id == "exchange/denied":
        return _denied_token(context, role, token)
    if error.error_id != "exchange/invalid-token" or "token audience" not in str(error).lower():
        return None
    if token.issuer in GOOGLE_ISSUERS:
        return _google_provider(role, token, error)
    return _client_ids(context, role, token, error)


def _google_provider(role: Role, token: IdToken, error: ExchangeError) -> Finding:
    arn, add = _provider(role, token, "accounts.google.com")
    return _broken(
        "The account has an IAM OIDC provider for accounts.google.com, which replaces the built-in "
        f"one, and its client ids do not have this token's azp: {error.args[0]}",
        "No such provider: AWS trusts Google without one.",
        f"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {arn}\n"
        f"or add azp of the token: {add}",
        "doctor/google-provider",
    )


def _client_ids(context: AwsContext, role: Role, token: IdToken, error: ExchangeError) -> Finding:
    _, add = _provider(role, token, token.issuer.removeprefix("https://"))
    when = "if the provider has the role's own"
    return _broken(
        "The client ids of the issuer's IAM OIDC provider do not have this token's audience: "
        f"{error.args[0]}",
        "The token's audience among the client ids of the provider.",
        f"{add}\n{_set_audience(audience_source(context), 'AUDIENCE', when)}",
        "exchange/invalid-token",
    )


def _provider(role: Role, token: IdToken, issuer: str) -> tuple[str, str]:
    """Return the ARN of an issuer's IAM OIDC provider, and the command to add *token*'s client."""
    arn = shlex.quote(f"arn:{role.partition}:iam::{_account(role)}:oidc-provider/{issuer}")
    client_id = shlex.quote(denied.aws_audience_of(token))
    return arn, (
        "aws iam add-client-id-to-open-id-connect-provider "
        f"--open-id-connect-provider-arn {arn} --client-id {client_id}"
    )


def _denied_token(context: AwsContext, role: Role, token: IdToken) -> Finding:
    try:
        statement = denied.statement(token, role)
    except ConfigError as error:
        return _broken(
            f"AWS denies the token, which no trust policy can name: {error.args[0]}",
            "A token with claims that a policy can pin.",
            error.fix,
            "exchange/denied",
        )
    try:
        found = read_role(context, role)
    except NoSuchRole:
        return _no_such_role(role, statement)
    except NotRead as reason:
        return _unread(context, role, token, f"{reason}", statement)
    if found["Arn"] != role.arn:
        return _broken(
            f"The role is {quoted(found['Arn'], 2048)}; {role.arn} was requested.",
            "The ARN with its path.",
            f"export GCP_AWS_BRIDGE_ROLE_ARN={shlex.quote(found['Arn'])}",
            "doctor/role-arn",
        )
    document = found["AssumeRolePolicyDocument"]
    if isinstance(document, str):
        document = json.loads(document)
    return _compared(context, role, token, document, statement)


def _unread(
    context: AwsContext, role: Role, token: IdToken, reason: str, statement: str
) -> Finding:
    """Return what to check, in order, if the trust policy cannot be read."""
    source = audience_source(context)
    audience = f"The audience, {quoted(role.audience)}, comes from {source}."
    own = ""
    if denied.is_default(role.audience):
        origin = "" if source == _DEFAULT else f" (from {source})"
        audience = (
            f"The audience, {quoted(role.audience)}, is the default{origin}: a role with an "
            "audience of its own denies it, and then this setting is wrong, not the policy."
        )
        own = ", and the role has no audience of its own"
    steps = (
        f"{_get_role(role)}   # in account {_account(role)}; NoSuchEntity: no such role",
        f"if there is no such role: {_create_role(role, statement)}",
        _set_audience(source, "AUDIENCE", "the policy's audience, if it names another"),
        f"is {_who(token)} who should have the role? If not, correct the workload",
        f"if so{own}: add this statement to the policy:\n{statement}",
    )
    return _broken(
        f"AWS denied {role.arn} to an ID token of {denied.issuer_of(token)}: its trust policy "
        "does not admit the token, or there is no such role. AWS's answer is the same for both, "
        f"and {reason}. {audience} {denied.claims(token)}",
        "A role that exists, with a trust policy that names the audience and the account of this "
        "token.",
        "\n".join(steps),
        "exchange/denied",
    )


def _compared(
    context: AwsContext, role: Role, token: IdToken, document: dict[str, Any], statement: str
) -> Finding:
    try:
        compared = compare(document, token, _account(role))
    except ConfigError as error:
        compared = Comparison(False, str(error.args[0]), is_denied=True)
    policy_text = f"The policy: {json.dumps(document, separators=(',', ':'))}"
    if compared.allowed:
        return _broken(
            f"The trust policy of {role.arn} admits this token, and STS denied it: the policy "
            "was changed this minute, or a service or resource control policy of the "
            f"organization forbids it. {policy_text}",
            "No policy of the organization that forbids sts:AssumeRoleWithWebIdentity.",
            "try again in a minute\naws organizations list-policies --filter "
            "SERVICE_CONTROL_POLICY",
            "doctor/not-the-role",
        )
    reasons = sentences(compared.differences)
    seen = f"The trust policy of {role.arn} does not admit this token: "
    audiences = [one for one in compared.differences if one.is_another_audience(token)]
    if named := [one for one in audiences if one.audience()]:
        return _other_audience(context, token, named[0], f"{seen}{reasons}. {policy_text}")
    seen += f"{reasons or compared.reasons}. {denied.claims(token)} {policy_text}"
    # An audience of the role's own that is not a single value, such as a pattern, stays as well.
    if audiences:
        fix = _set_audience(audience_source(context), "AUDIENCE", "one that the policy admits")
        return _broken(seen, "A token for an audience of the policy.", fix, "doctor/audience")
    return _broken(seen, *_correction(role, token, document, compared, statement))


def _correction(
    role: Role, token: IdToken, document: dict[str, Any], compared: Comparison, statement: str
) -> tuple[str, str, str]:
    """Return the corrected policy, the command for it, and the id of the finding."""
    edited = corrected(document, compared.differences, token, json.loads(statement))
    if compared.is_denied or not compare(edited, token, _account(role)).allowed:
        fix = f"{_get_role(role)}   # and change what is named above"
        return "A trust policy that admits this token.", fix, "doctor/trust-policy"
    wanted = json.dumps(edited)
    fix = (
        f"if {_who(token)} should have the role (the rest of the policy stays as it is):\n"
        f"aws iam update-assume-role-policy --role-name {_name(role)} "
        f"--policy-document {shlex.quote(wanted)}"
    )
    return wanted, fix, "doctor/trust-policy"


def _other_audience(context: AwsContext, token: IdToken, wanted: Difference, seen: str) -> Finding:
    """Return the finding for a setting of the workload that the role's policy contradicts."""
    source = audience_source(context)
    audience = wanted.audience()
    fix = [_set_audience(source, audience)]
    if token.issuer not in GOOGLE_ISSUERS:
        fix.append(
            f"and in the pod's volume: serviceAccountToken.audience: {shlex.quote(audience)}"
        )
    return _broken(
        f"{seen} The token's audience comes from {source}.",
        f"A token for the audience {quoted(audience)}, which the role's trust policy names.",
        "\n".join(fix),
        "doctor/audience",
    )


def audience_source(context: AwsContext) -> str:
    """Return where the role's audience was set: an option, a variable, a profile key."""
    default = f"{_DEFAULT} of a named profile, without gcp_audience"
    unset = default if has_profile(context.session) else _DEFAULT
    return source_of_settings(context).get("audience", unset)


def _set_audience(source: str, audience: str, when: str = "") -> str:
    """Return how to set *audience* where it counts, with the condition under which to do so."""
    if "profile" in source:  # its file would take a comment for a part of the value
        return f"# in the AWS profile{when and f', {when}'}:\ngcp_audience = {audience}"
    is_option = source == "the command line"
    name = "--audience " if is_option else "export GCP_AWS_BRIDGE_AUDIENCE="
    return f"{name}{shlex.quote(audience)}{when and f'   # {when}'}"


def _who(token: IdToken) -> str:
    """Return the account of *token*, and what kind of account it is if that matters."""
    kind = denied.kind_of_account(token)
    return quoted(token.email or token.subject) + (f", {kind}," if kind else "")


def _no_such_role(role: Role, statement: str) -> Finding:
    return _broken(
        f"There is no role {_name(role)} in the account of the AWS keys here (AWS gives the same "
        "answer for a role that does not exist and for a role that does not admit the token).",
        f"{role.arn}, in account {_account(role)}.",
        "aws sts get-caller-identity\naws iam list-roles --query 'Roles[].Arn'\n"
        "if the role has another name: export GCP_AWS_BRIDGE_ROLE_ARN=ARN\n"
        f"else create the role: {_create_role(role, statement)}",
        "doctor/no-such-role",
    )


def _create_role(role: Role, statement: str) -> str:
    """Return the command that creates the role with a trust policy of *statement* alone."""
    document = json.dumps(policy.policy_of(json.loads(statement)))
    path = role.arn.partition(":role")[2].rpartition("/")[0] + "/"
    option = f"--path {shlex.quote(path)} " if path != "/" else ""
    return (
        f"aws iam create-role --role-name {_name(role)} {option}"
        f"--assume-role-policy-document {shlex.quote(document)}"
    )


def _get_role(role: Role) -> str:
    return f"aws iam get-role --role-name {_name(role)} --query Role.AssumeRolePolicyDocument"


def _account(role: Role) -> str:
    return role.arn.split(":")[4]


def _name(role: Role) -> str:
    return shlex.quote(role.arn.rpartition("/")[2])
