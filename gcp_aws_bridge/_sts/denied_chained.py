"""Checks, in their order, after STS answers AccessDenied for a chained role.

AWS answers AccessDenied to a role that may not be assumed, and to tags and a source identity that
may not be set; its message names the action (IAM user guide, "Pass session tags in AWS STS" and
"Monitor and control actions taken with assumed roles": the permissions of the caller and the trust
policy must both allow the action).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_aws_bridge.exceptions import quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.config import ChainedRole, Role

_ACTION = re.compile(r"not authorized to perform: (sts:\w+)")
_TAG, _IDENTITY = "sts:TagSession", "sts:SetSourceIdentity"


def checks(role: Role, position: int, message: str) -> tuple[str, str]:
    """Return the fix, and further checks in their order.

    Args:
        message: The message of AWS. If it names an action, only that action was denied.
    """
    arn, previous_arn = role.arns[position + 1], role.arns[position]
    named = _ACTION.search(message)
    action = named[1] if named else ""
    previous = settings(role, position - 1) if position else None
    further = []
    if previous and (previous.policy or previous.policy_arns):
        further.append(f"the session policy of {previous_arn} must allow it")
    needed = _needed(role, position)
    if action in (_TAG, _IDENTITY):
        why = f": {needed[action]}" if action in needed else ""
        fix = (
            f"allow {action} on {arn} in the permissions of {previous_arn}, and in the trust "
            f"policy of {arn}{why}."
        )
    else:
        fix = (
            f"allow sts:AssumeRole on {arn} in the permissions of {previous_arn}, "
            f"and that role as AWS principal in the trust policy of {arn}."
        )
        further.append(_external_id(settings(role, position)))
        if not action:
            further += [f"{why}, so both must allow {one}" for one, why in needed.items()]
        elif _TAG in needed:
            further.append(f"{needed[_TAG]}, which a condition (aws:RequestTag) must admit")
    numbered = "; ".join(f"{number}. {one}" for number, one in enumerate(further, 1))
    return fix, f"If that is so, check: {numbered}." if further else ""


def settings(role: Role, position: int | None) -> ChainedRole | None:
    """Return `chain[position]` if it has settings of its own."""
    one = None if position is None else role.chain[position]
    return None if isinstance(one, str) else one


def _external_id(chained: ChainedRole | None) -> str:
    if chained is None or chained.external_id is None:
        return (
            "no external ID is sent; if the trust policy has a condition on sts:ExternalId, pass "
            "its value: ChainedRole(…, external_id=…), --external-id"
        )
    return f"the trust policy may require another sts:ExternalId than {quoted(chained.external_id)}"


def _needed(role: Role, position: int) -> dict[str, str]:
    """Return the further actions that both sides must allow, and why each is needed.

    Transitive tags and the source identity need the permission at each later role, too.
    """
    needed = {}
    for at, one in enumerate(role.chain[: position + 1]):
        if isinstance(one, str):
            continue
        is_own = at == position
        if one.tags if is_own else one.transitive_tag_keys:
            needed[_TAG] = "tags are sent" if is_own else "tags are inherited"
        if one.source_identity:
            sent = "sent" if is_own else "inherited"
            needed[_IDENTITY] = f"a source identity is {sent}"
    return needed
