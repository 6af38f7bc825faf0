"""Reads a role from IAM, if this machine has AWS keys that may call `iam:GetRole`.

Only keys in the environment or in the profile's files are used: botocore's other providers are
slow, or this library itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.exceptions
from botocore.config import Config
from botocore.credentials import CredentialResolver

from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor.context import AwsContext
from gcp_aws_bridge.exceptions import quoted

_KEY_PROVIDERS = frozenset({"env", "shared-credentials-file", "config-file"})


class NoSuchRole(Exception):
    """IAM has no role of this name."""


class NotRead(Exception):
    """The role could not be read; the text is the reason."""


def read_role(context: AwsContext, role: Role) -> Mapping[str, Any]:
    """Return the role as IAM has it.

    Raises:
        NoSuchRole: The role does not exist.
        NotRead: It could not be read.
    """
    try:
        keys = _keys(context)
        if keys is None:
            raise NotRead("there are no AWS keys here to read the role with")
        found = _get_role_with(keys, context, role)
        account = found["Arn"].split(":")[4]
    except botocore.exceptions.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "NoSuchEntity":
            raise NoSuchRole from None
        raise NotRead(f"iam:GetRole was denied ({quoted(code)})") from None
    except botocore.exceptions.PartialCredentialsError:
        raise NotRead("the AWS keys here are incomplete") from None
    except (botocore.exceptions.BotoCoreError, ValueError, TimeoutError) as error:
        raise NotRead(f"IAM was not reached ({type(error).__name__})") from None
    except (AttributeError, LookupError, TypeError):
        raise NotRead("what answers as IAM returned no role with an ARN") from None
    if account != role.arn.split(":")[4]:
        raise NotRead(f"the AWS keys here are of another account, {quoted(account)}")
    return found


def _get_role_with(keys: Any, context: AwsContext, role: Role) -> Mapping[str, Any]:
    limit_s = context.request_timeout_s
    short = Config(
        connect_timeout=limit_s,
        read_timeout=limit_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    client: Any = context.session.create_client(
        "iam",
        region_name=context.sts.region_name if context.sts else None,
        config=short,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )
    name = role.arn.rpartition("/")[2]
    try:
        found: Mapping[str, Any] = context.within(lambda: client.get_role(RoleName=name)["Role"])
    finally:
        client.close()
    return found


def _keys(context: AwsContext) -> Any:
    providers = context.session.get_component("credential_provider").providers
    keys = CredentialResolver(
        [one for one in providers if one.METHOD in _KEY_PROVIDERS]
    ).load_credentials()
    return keys.get_frozen_credentials() if keys else None
