"""AWS services that assume a role for a workload, if its trust policy allows that.

The service chooses the session name and the tags; the tags of EKS follow its user guide, "Grant
pods access to AWS resources based on tags". `MaxSessionDuration` does not apply to services.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from .accounts import Accounts, Key, Session
from .answers import AwsError
from .requestcontext import of_service, of_tags
from .trust import Principal

__all__ = ["assume_for_workload"]


def assume_for_workload(
    accounts: Accounts,
    role_arn: str,
    service: str,
    session_name: str,
    expiration: datetime,
    tags: Mapping[str, str] | None = None,
    *,
    now: datetime,
) -> Key:
    """Return credentials of a role that a service assumes.

    Args:
        accounts: State of AWS.
        role_arn: ARN of the role.
        service: Principal of the service, such as `ec2.amazonaws.com`.
        session_name: Session name.
        expiration: Expiration of the session.
        tags: Session tags, which chained sessions inherit. With tags, the trust policy must also
            allow `sts:TagSession`.
        now: The current time.

    Raises:
        AwsError: `AccessDenied`, also if the role does not exist.
    """
    role = accounts.role(role_arn)
    actions = ("sts:AssumeRole", "sts:TagSession") if tags else ("sts:AssumeRole",)
    context = {
        **of_service(service, role.account if role else "", now),
        **of_tags(tags or {}),
        "sts:rolesessionname": (session_name,),
        "sts:transitivetagkeys": tuple(tags or ()),
    }
    principal = Principal("Service", frozenset({service}))
    denied = [
        action
        for action in actions
        if role is None or not role.trust_policy.allows(action, principal, context)
    ]
    if role is None or denied:
        raise AwsError(
            "AccessDenied",
            f"User: {service} is not authorized to perform: {denied[0]} on resource: {role_arn}",
            403,
        )
    # "All of the session tags that are added by EKS Pod Identity are transitive" (EKS user guide).
    session = Session(tags=tags or {}, transitive=frozenset(tags or {}))
    return accounts.issue(role, session_name, expiration.replace(microsecond=0), session)
