"""Check that two sets of AWS keys belong to the same principal, by GetCallerIdentity."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.google._aws_identity import AwsIdentity, refused
from gcp_aws_bridge.google._environment import AwsEnvironment, changed

# Roles of IAM Identity Center, whose session name is the user's name (IAM Identity Center user
# guide, "Permission sets": AWSReservedSSO_NAME_ID).
_OF_PEOPLE = "AWSReservedSSO_"


def require_same(old: AwsEnvironment, new: AwsEnvironment) -> None:
    """Check that the keys in *old* and *new* belong to the same role or user.

    Sends a request to AWS STS for both: an access key id does not contain the principal.

    Raises:
        TokenError: The keys belong to different principals, or AWS did not accept them.
    """
    former, present = _principal(old), _principal(new)
    if former != present:
        raise changed("the access keys belong to another role, user or account")


def _principal(environment: AwsEnvironment) -> tuple[str, ...]:
    """Return account, role or user with its unique id, without the name of a role's session."""
    import botocore.exceptions

    from gcp_aws_bridge._sts.client import CONFIG
    from gcp_aws_bridge._tokens.https import require_https
    from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced

    identity = AwsIdentity(None, environment)
    key_id, secret, token = identity.frozen()
    try:
        with wire_logs_silenced():
            client = identity.session().create_client(
                "sts",
                region_name=identity.region(),
                config=CONFIG,
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                aws_session_token=token,
            )
            require_https(client.meta.endpoint_url)
            try:
                found: Any = client.get_caller_identity()
            finally:
                client.close()
        return _without_session(str(found["Account"]), str(found["Arn"]), str(found["UserId"]))
    except (
        *(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError),
        *(KeyError, ValueError),
    ) as error:
        why = "AWS STS did not confirm that the previous and the current keys belong to one role"
        raise changed(why, retryable=refused(error).retryable) from None


def _without_session(account: str, arn: str, user_id: str) -> tuple[str, ...]:
    """Return the parts of GetCallerIdentity's answer that are the same for all sessions of a role.

    See: AWS STS API reference, GetCallerIdentity; IAM user guide, "IAM identifiers": an assumed
    role is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, its id `AROA…:SESSION`.
    """
    role, _, session = arn.rpartition("/")
    _, is_role, name = role.partition(":assumed-role/")
    if not is_role or name.startswith(_OF_PEOPLE):
        return account, arn, user_id
    return account, role, user_id.removesuffix(f":{session}")
