"""Authorization of signed requests by trust policies, identity-based policies and session policies.

Written from the IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic"
and "Monitor and control actions taken with assumed roles", and from the AWS STS API reference,
AssumeRole. Permissions boundaries and policies of AWS
Organizations are not emulated.
"""

from __future__ import annotations

from .accounts import Accounts, Caller, Role
from .answers import AwsError
from .conditions import Context
from .permissions import allowed, denied

__all__ = ["check", "may_assume", "refused"]


def may_assume(
    accounts: Accounts, caller: Caller, role: Role, action: str, context: Context
) -> bool:
    """Return whether a caller may perform an action, such as `sts:AssumeRole`, on a role."""
    names = role.trust_policy.admitted(action, caller.principal(role.trusted), context)
    if not names or _denied(accounts, caller, action, role.arn, context):
        return False
    has_permission = _has_permission(accounts, caller, action, role.arn, context)
    within_session = _within_session(caller, action, role.arn, context)
    # "The request is allowed only if both evaluations return a decision of Allow."
    if (caller.account, caller.partition) != (role.account, role.partition):
        return has_permission and within_session
    # "When you assume a role with another role ... permissions for sts:SetSourceIdentity are
    # required in both the permissions policy of the principal who is assuming the role and in the
    # role trust policy" ("Monitor and control actions taken with assumed roles").
    if action == "sts:SetSourceIdentity" and caller.role_arn is not None:
        return has_permission and within_session
    # "Permissions granted directly to a session are not limited by an implicit deny in an
    # identity-based policy, a permissions boundary, or session policy". The same applies to a
    # user and to "*" (Principal element, "IAM role principals").
    if names & {"*", caller.arn}:
        return True
    # "Resource-based policies that grant permissions to an IAM role ARN are limited by an implicit
    # deny in a ... session policy."
    if caller.role_arn in names:
        return within_session
    # "Attach a policy to the user ... (as long as the role's trust policy trusts the account)."
    return has_permission and within_session


def check(
    accounts: Accounts, caller: Caller, action: str, context: Context, resource: str = "*"
) -> None:
    """Check that a caller has a permission.

    Raises:
        AwsError: `AccessDenied`: the caller lacks the permission.
    """
    target = f"arn:{caller.partition}:sts::{caller.account}:{resource}"
    if (
        _denied(accounts, caller, action, target, context)
        or not _has_permission(accounts, caller, action, target, context)
        or not _within_session(caller, action, target, context)
    ):
        raise refused(caller, action, resource)


def refused(caller: Caller, action: str, resource: str) -> AwsError:
    """Return the error for a request that no policy allows."""
    return AwsError(
        "AccessDenied",
        f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}",
        403,
    )


def _denied(
    accounts: Accounts, caller: Caller, action: str, resource: str, context: Context
) -> bool:
    policies = (*accounts.policies(caller.entity), *(caller.session.policies or ()))
    return denied(policies, action, resource, context)


def _has_permission(
    accounts: Accounts, caller: Caller, action: str, resource: str, context: Context
) -> bool:
    return allowed(accounts.policies(caller.entity), action, resource, context)


def _within_session(caller: Caller, action: str, resource: str, context: Context) -> bool:
    """Return whether the session policies, if there are any, allow the request.

    "If you do not pass a policy, then the resulting federated user session has no permissions."
    """
    policies = caller.session.policies
    if policies is None:
        return caller.kind != "FederatedUser"
    return allowed(policies, action, resource, context)
