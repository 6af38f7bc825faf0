"""Corrections for a chained role that AWS denies: policies, commands and settings."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gcp_aws_bridge import policy
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.config.chained_role import as_chained_role, chain_text
from gcp_aws_bridge.policy import AssumeRoleRequest, Decision
from gcp_aws_bridge.policy.conditions import covers
from gcp_aws_bridge.policy.document import load, statements
from gcp_aws_bridge.policy.names import EXTERNAL_ID, is_name

_KEY = "sts:externalid"
_FAILS = re.compile(rf"fails: \S+ {_KEY}: ", re.IGNORECASE)


def other_external_ids(document: Mapping[str, Any], decision: Decision) -> tuple[str, ...] | None:
    """Return the external IDs that the policy requires of this caller; None if another fails.

    They are empty if the policy has only patterns.
    """
    listed = statements(load(document))
    for verdict in decision.statements:
        principal, *reasons = verdict.reasons
        failing = [one for one in reasons if _FAILS.match(one)]
        if verdict.effect != "Allow" or not principal.startswith("holds") or not failing:
            continue
        conditions = [one for one in listed[verdict.index].conditions if one.key.lower() == _KEY]
        values = (value for one in conditions for value in one.values)
        return tuple(value for value in values if is_name(EXTERNAL_ID, value))
    return None


def corrected(document: Mapping[str, Any], request: AssumeRoleRequest) -> dict[str, Any] | None:
    """Return the smallest change of the policy that admits the request, or None.

    That is further actions for one of its statements, or one more statement.
    """
    loaded = load(document)
    raw = loaded["Statement"] if isinstance(loaded["Statement"], list) else [loaded["Statement"]]
    candidates = []
    for one in statements(loaded):
        if one.allows and not one.all_but:
            missing = [action for action in request.actions if not covers(one, action)]
            changed = {**raw[one.index], "Action": [*one.actions, *missing]}
            candidates.append([*raw[: one.index], changed, *raw[one.index + 1 :]])
    candidates.append([*raw, *policy.build_chained(request)["Statement"]])
    for listed in candidates:
        made = {**loaded, "Statement": listed}
        if policy.evaluate_chained(made, request).allowed:
            return made
    return None


def allow(arn: str, request: AssumeRoleRequest) -> str:
    """Return the command that allows the caller of *request* to assume the role *arn*."""
    document = json.dumps(policy.permissions_for([arn], request))
    return (
        f"aws iam put-role-policy --role-name {_name(request.caller)} --policy-name "
        f"{shlex.quote(f'assume-{_name(arn)}'[:128])} --policy-document {shlex.quote(document)}"
    )


def update(arn: str, document: str) -> str:
    """Return the command that replaces the trust policy of a role."""
    return (
        f"aws iam update-assume-role-policy --role-name {_name(arn)} --policy-document "
        f"{shlex.quote(document)}"
    )


def get_role(arn: str) -> str:
    """Return the command that prints the trust policy of a role."""
    return f"aws iam get-role --role-name {_name(arn)} --query Role.AssumeRolePolicyDocument"


def set_external_id(role: Role, position: int, source: str, value: str) -> str:
    """Return how to set the external ID of `role.chain[position]` where the chain comes from."""
    if source == "the command line":
        arn = shlex.quote(role.arns[position + 1])
        return f"--chain {arn} --external-id {shlex.quote(value)}"
    one = replace(as_chained_role(role.chain[position]), external_id=value)
    text = chain_text([*role.chain[:position], one, *role.chain[position + 1 :]])
    if "profile" in source:
        return f"# in the AWS profile:\ngcp_chain = {text}"
    return f"export GCP_AWS_BRIDGE_CHAIN={shlex.quote(text)}"


def account(arn: str) -> str:
    """Return the account in an ARN."""
    return arn.split(":")[4]


def _name(arn: str) -> str:
    return shlex.quote(arn.rpartition("/")[2])
