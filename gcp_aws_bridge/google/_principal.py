"""Whether two sets of AWS keys are of one principal, by what AWS says of both."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.google._aws_identity import AwsIdentity, refused
from gcp_aws_bridge.google._environment import AwsEnvironment, changed

# IAM Identity Center's roles; the name of their session is the user's (IAM Identity Center user
# guide, "Permission sets": AWSReservedSSO_NAME_ID).
_OF_PEOPLE = "AWSReservedSSO_"


def require_same(old: AwsEnvironment, new: AwsEnvironment) -> None:
    """Check that the keys of *new* are of the role or user that those of *old* are of.

    Asks AWS STS for both. The principal cannot be read from an access key id.

    Raises:
        TokenError: They are not; or AWS did not say, as of keys that have expired.
    """
    former, present = _principal(old), _principal(new)
    if former != present:
        raise changed("the access keys are of another role, user or account")


def _principal(environment: AwsEnvironment) -> tuple[str, ...]:
    """Return account, role or user with its unique id, without the name of a role's session."""
    import botocore.exceptions

    from gcp_aws_bridge._sts.client import CONFIG
    from gcp_aws_bridge._tokens.confidential import require_https
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
        why = "AWS STS did not confirm that the former keys and the present ones are of one role"
        raise changed(why, retryable=refused(error).retryable) from None


def _without_session(account: str, arn: str, user_id: str) -> tuple[str, ...]:
    """Return the parts of GetCallerIdentity's answer that stay when a role is assumed again.

    See: AWS STS API reference, GetCallerIdentity; IAM user guide, "IAM identifiers": an assumed
    role is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, its id `AROA…:SESSION`.
    """
    role, _, session = arn.rpartition("/")
    _, is_role, name = role.partition(":assumed-role/")
    if not is_role or name.startswith(_OF_PEOPLE):
        return account, arn, user_id
    return account, role, user_id.removesuffix(f":{session}")
