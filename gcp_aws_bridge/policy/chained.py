"""Writer of the policies on both sides of a chained role.

Sources: IAM user guide, "Access to AWS accounts owned by third parties" and "The confused deputy
problem" (`sts:ExternalId`), "Pass session tags in AWS STS" (`aws:RequestTag`, `aws:TagKeys`,
`sts:TransitiveTagKeys` under ForAllValues, `aws:PrincipalTag`), "Monitor and control actions taken
with assumed roles" (`sts:SourceIdentity`; the actions that both sides need).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gcp_aws_bridge.exceptions import quoted

from .building import check_text, checked, one_or_many, policy_of, refuse
from .document import SIZE_QUOTA
from .names import ROLE_ARN, is_name
from .request import ANY, AssumeRoleRequest

__all__ = ["build_chained", "permissions_for"]


def build_chained(request: AssumeRoleRequest) -> dict[str, Any]:
    """Write the trust policy of a chained role that admits exactly this request.

    The principal is the role before it, and not its account, which would be every role there with
    the permission. The session name is not pinned.

    Args:
        request: The request. The condition for an inherited tag is on the caller's session; it may
            set only the tags that the request passes.

    Raises:
        ConfigError: A value cannot be part of a policy, or the policy exceeds the quota of 2,048
            characters.
    """
    equals = {
        "sts:ExternalId": request.external_id,
        **{f"aws:RequestTag/{key}": value for key, value in request.tags.items()},
        **{f"aws:PrincipalTag/{key}": value for key, value in request.inherited_tags.items()},
        "sts:SourceIdentity": request.source_identity,
    }
    pins = {key: value for key, value in equals.items() if value not in (None, ANY)}
    required = {key: value for key, value in equals.items() if value == ANY}
    # AWS does not document whether inherited keys are among aws:TagKeys.
    allowed = {
        "aws:TagKeys": [*request.inherited_tags, *request.tags],
        "sts:TransitiveTagKeys": [*request.transitive],
    }
    limits = {key: one_or_many(keys) for key, keys in allowed.items() if keys}
    for text in (*equals, *filter(None, pins.values())):
        check_text("value", text, SIZE_QUOTA)
    conditions = {
        "StringEquals": pins,
        "StringLike": required,
        "ForAllValues:StringEquals": limits,
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": request.caller},
        "Action": one_or_many([*request.actions]),
        "Condition": {operator: keys for operator, keys in conditions.items() if keys},
    }
    return checked([{member: value for member, value in statement.items() if value}])


def permissions_for(roles: Sequence[str], request: AssumeRoleRequest) -> dict[str, Any]:
    """Write the policy of the role before chained roles: it may assume them by such requests.

    Args:
        roles: ARNs of the chained roles; an account may be `*`.
        request: The request, which determines the actions.

    Raises:
        ConfigError: There is no role, or one is not the ARN of a role.
    """
    if isinstance(roles, str) or not roles:
        refuse(f"{quoted(roles)} is not a list of ARNs.", "pass a list, even of one ARN.")
    for arn in roles:
        if not is_name(ROLE_ARN, str(arn).replace(":iam::*:", f":iam::{'0' * 12}:")):
            refuse(
                f"{quoted(arn)} is not the ARN of a role.",
                "pass arn:aws:iam::ACCOUNT:role/NAME; * as the account means all accounts.",
            )
    statement = {
        "Effect": "Allow",
        "Action": one_or_many([*request.actions]),
        "Resource": one_or_many([*roles]),
    }
    return policy_of(statement)
