"""Explains why AWS denied a chained role: an external ID, the trust policy, or the permissions.

Two sides must allow the request, often in two accounts: the permissions of the role before, and the
trust policy of the chained role. If AWS keys here can read the trust policy, it is evaluated.
Otherwise AWS's message may name the side (IAM user guide, "Troubleshoot access denied error
messages": "because no identity-based policy allows", "because no role trust policy allows").
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from gcp_aws_bridge import policy
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.doctor import chain_fixes
from gcp_aws_bridge.doctor.context import AwsContext, required
from gcp_aws_bridge.doctor.iam_role import NoSuchRole, NotRead, read_role
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.settings import source_of_settings
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, quoted
from gcp_aws_bridge.policy import AssumeRoleRequest, Decision

__all__ = ["explain"]

_broken = partial(Finding, "chain", "broken")
_ACTION = re.compile(r"not authorized to perform: (sts:\w+)")
_PERMISSIONS = re.compile(r"no identity-based policy allows", re.IGNORECASE)
_TRUST = re.compile(r"no (role trust|resource-based) policy allows", re.IGNORECASE)


class _Denied(NamedTuple):
    """A request that AWS denied.

    Attributes:
        role: The chain.
        position: Position of the denied role in it.
        source: Where the chain was set: an option, a variable, a profile key.
        request: The request.
        message: AWS's answer, with the error of the library.
    """

    role: Role
    position: int
    source: str
    request: AssumeRoleRequest
    message: str

    @property
    def arn(self) -> str:
        """The chained role."""
        return self.role.arns[self.position + 1]

    @property
    def caller(self) -> str:
        """The role before it."""
        return self.role.arns[self.position]

    @property
    def actions(self) -> str:
        """The actions that the request needs."""
        return " and ".join(self.request.actions)

    @property
    def sent(self) -> str:
        """The external ID, for a message."""
        own = self.request.external_id
        return "no external ID" if own is None else f"the external ID {quoted(own)}"

    def set_external_id(self, value: str) -> str:
        """Return how to set the external ID where the chain comes from."""
        return chain_fixes.set_external_id(self.role, self.position, self.source, value)


def explain(context: AwsContext, position: int, error: ExchangeError) -> Finding | None:
    """Return the finding for a chained role that AWS denies, or None for other errors."""
    if error.error_id != "exchange/chained-role":
        return None
    role = required(context.role)
    source = source_of_settings(context).get("chain", "the default")
    text = f"{error.args[0]} {error.details}"
    request = policy.requests_of(role)[position]
    if request.role_session_name is None:
        request = replace(request, role_session_name=role.session_name)
    denied = _Denied(role, position, source, request, text)
    try:
        found = read_role(context, Role(denied.arn))
        document = found["AssumeRolePolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        decision = policy.evaluate_chained(document, denied.request)
    except NoSuchRole:
        return _unread(denied, "the account of the AWS keys here has no such role")
    except NotRead as reason:
        return _unread(denied, str(reason))
    except ConfigError as problem:
        return _unread(denied, str(problem.args[0]))
    if found["Arn"] != denied.arn:
        return _unread(denied, f"the role there is {quoted(found['Arn'], 2048)}")
    return _compared(denied, document, decision)


def _compared(denied: _Denied, document: dict[str, Any], decision: Decision) -> Finding:
    if decision.undetermined:
        return _unread(denied, f"its trust policy does not decide: {_reasons(decision)}")
    if decision.allowed:
        return _permissions(denied, "The trust policy admits the request.")
    wanted = chain_fixes.other_external_ids(document, decision)
    if wanted is not None:
        return _external_id(denied, wanted)
    return _trust(denied, document, decision)


def _permissions(denied: _Denied, why: str) -> Finding:
    """Return the finding for permissions that the role before does not have."""
    position = denied.position
    before = denied.role.chain[position - 1] if position else denied.caller
    chained = before if isinstance(before, ChainedRole) else None
    also = " and its session policy" if chained and (chained.policy or chained.policy_arns) else ""
    return _broken(
        f"{why} So the permissions of {denied.caller}{also} do not allow {denied.actions} on "
        f"{denied.arn}, or a policy of the organization denies it.",
        f"{denied.actions} on {denied.arn} in the permissions of {denied.caller}{also}.",
        chain_fixes.allow(denied.arn, denied.request),
        "doctor/chain-permission",
    )


def _external_id(denied: _Denied, wanted: tuple[str, ...]) -> Finding:
    """Return the finding for an external ID that is missing or wrong."""
    shown = " or ".join(map(quoted, wanted)) or "another one"
    return _broken(
        f"The trust policy of {denied.arn} requires the external ID {shown} (sts:ExternalId); the "
        f"request has {denied.sent}. The chain comes from {denied.source}.",
        f"The external ID {shown}, if the role belongs to the customer that this program serves.",
        denied.set_external_id(wanted[0] if wanted else "ID"),
        "doctor/external-id",
    )


def _trust(denied: _Denied, document: dict[str, Any], decision: Decision) -> Finding:
    """Return the finding for a trust policy that does not admit the request."""
    actions = " and ".join(decision.denied_actions) or "any action"
    seen = (
        f"The trust policy of {denied.arn} does not allow {actions} to {denied.caller}: "
        f"{_reasons(decision)}. The policy: {json.dumps(document, separators=(',', ':'))}"
    )
    edited = chain_fixes.corrected(document, denied.request)
    if edited is None:
        fix = f"{chain_fixes.get_role(denied.arn)}   # and change what is named above"
        wanted = "A trust policy that admits this request."
    else:
        wanted = json.dumps(edited)
        fix = (
            f"if {denied.caller} should have the role (the rest of the policy stays as it is):\n"
            f"{chain_fixes.update(denied.arn, wanted)}"
        )
    return _broken(seen, wanted, fix, "doctor/chain-trust-policy")


def _unread(denied: _Denied, reason: str) -> Finding:
    """Return what to check, in order, if the trust policy cannot be read or does not decide."""
    named = _ACTION.search(denied.message)
    action = named[1] if named else "sts:AssumeRole"
    if _PERMISSIONS.search(denied.message):
        return _permissions(denied, f"AWS says that no identity-based policy allows {action}.")
    steps = []
    seen = f"AWS denied {action} on {denied.arn} to {denied.caller}"
    if action == "sts:AssumeRole":
        seen += f", by a request with {denied.sent}"
        another = "an" if denied.request.external_id is None else "another"
        steps.append(
            f"if the owner of the role gave you {another} external ID:\n"
            f"{denied.set_external_id('ID')}"
        )
    side = "the trust policy does not allow it"
    if not _TRUST.search(denied.message):
        side = "the permissions of the role before or the trust policy do not allow it"
        command = chain_fixes.allow(denied.arn, denied.request)
        steps.append(f"in account {chain_fixes.account(denied.caller)}: {command}")
    statement = json.dumps(policy.build_chained(denied.request)["Statement"][0])
    steps.append(
        f"in account {chain_fixes.account(denied.arn)}, add this statement to the trust policy of "
        f"{denied.arn}:\n{statement}"
    )
    return _broken(
        f"{seen}: {side}, and {reason}.",
        f"{denied.actions} in the permissions of {denied.caller} and in the trust policy of "
        f"{denied.arn}.",
        "\n".join(steps),
        "exchange/chained-role",
    )


def _reasons(decision: Decision) -> str:
    """Return why the statements do not apply, or which one denies."""
    against = [
        f"Statement[{one.index}] ({one.effect}) {reason}"
        for one in decision.statements
        for reason in one.reasons
        if (one.effect == "Deny") is reason.startswith("holds")
    ]
    return decision.malformed or "; ".join(against)
