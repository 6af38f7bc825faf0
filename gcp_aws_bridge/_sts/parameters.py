"""Parameters of the two operations of STS, as botocore's client takes them.

AWS STS API reference, AssumeRoleWithWebIdentity and AssumeRole. Imports nothing of botocore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcp_aws_bridge._tokens.id_token import IdToken
    from gcp_aws_bridge.config import ChainedRole, Role


def web_identity_parameters(token: IdToken, role: Role) -> dict[str, Any]:
    """Return the parameters of AssumeRoleWithWebIdentity for the first role.

    Its session has the session policies of *role* only if there is no chain: they are for the last
    role, and do not carry over from one session to the next.
    """
    return {
        "RoleArn": role.arn,
        "RoleSessionName": role.session_name,
        "WebIdentityToken": token.raw,
        "DurationSeconds": role.duration_seconds,
        **_session_policies(None if role.chain else role),
    }


def chained_parameters(role: Role, position: int) -> dict[str, Any]:
    """Return the parameters of AssumeRole for the chained role `role.chain[position]`.

    What a `ChainedRole` does not set is that of *role*: session name and duration for every role,
    session policies for the last.
    """
    one = role.chain[position]
    chained = None if isinstance(one, str) else one
    parameters = {
        "RoleArn": role.arns[position + 1],
        "RoleSessionName": (chained and chained.role_session_name) or role.session_name,
        "DurationSeconds": duration_seconds(role, position),
        **_session_policies(role if position == len(role.chain) - 1 else None),
    }
    return parameters if chained is None else parameters | _own(chained)


def duration_seconds(role: Role, position: int | None) -> int:
    """Return the requested duration of the role `chain[position]`, or of the first role if None."""
    one = None if position is None else role.chain[position]
    own = None if one is None or isinstance(one, str) else one.duration_seconds
    return own or role.duration_seconds


def _own(chained: ChainedRole) -> dict[str, Any]:
    """Return the parameters that a plain ARN does not have."""
    own = _session_policies(chained)
    if chained.external_id is not None:
        own["ExternalId"] = chained.external_id
    if chained.tags is not None:
        own["Tags"] = [{"Key": key, "Value": value} for key, value in chained.tags.items()]
    if chained.transitive_tag_keys:
        own["TransitiveTagKeys"] = [*chained.transitive_tag_keys]
    if chained.source_identity is not None:
        own["SourceIdentity"] = chained.source_identity
    return own


def _session_policies(role: Role | ChainedRole | None) -> dict[str, Any]:
    policies: dict[str, Any] = {}
    if role is not None and role.policy is not None:
        policies["Policy"] = role.policy
    if role is not None and role.policy_arns:
        policies["PolicyArns"] = [{"arn": arn} for arn in role.policy_arns]
    return policies
