"""Sessions and credentials for aiobotocore and aioboto3, which do not block the event loop.

    from gcp_aws_bridge import aio

    session = aio.session("arn:aws:iam::123456789012:role/etl")
    async with session.create_client("s3") as s3:
        await s3.list_buckets()

    aioboto3.Session(botocore_session=aio.session(…))

Needs `gcp-aws-bridge[aio]`. Works on any asyncio event loop (uvloop), and on several in one
process: all share one exchange with each other and with threads. A waiting task that is cancelled
does not cancel the exchange for other tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._botocore.aiobotocore import (
    AioBridgeCredentials,
    BridgeAioSession,
)
from gcp_aws_bridge._botocore.install import add_provider
from gcp_aws_bridge._sts.session_settings import botocore_session_of
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge.config import Role

if TYPE_CHECKING:
    from aiobotocore.session import AioSession
    from typing_extensions import Unpack

    from gcp_aws_bridge._botocore.request import RoleSettings

__all__ = ["credentials", "register", "session"]


def session(
    role_arn: str | Role | None = None,
    *,
    region_name: str | None = None,
    token_source: TokenSource | None = None,
    **settings: Unpack[RoleSettings],
) -> AioSession:
    """Return an aiobotocore session whose clients use the credentials of a role.

    Makes no requests, but creates botocore's STS client, which takes about 20 ms of CPU time once
    in a process. Create the session before the event loop is busy. Pickles as its settings.

    Args:
        role_arn: As for `gcp_aws_bridge.session`.
        region_name: Region of the session, and of STS if it belongs to the role's partition.
        token_source: As for `gcp_aws_bridge.session`.
        **settings: As for `gcp_aws_bridge.session`: `audience`, `role_session_name`,
            `duration_seconds`, `chain`, `policy`, `policy_arns`, `sts_regions`.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    return BridgeAioSession(
        role_arn, region_name=region_name, token_source=token_source, **settings
    )


def register(
    session: Any, role: Role | str | None = None, *, token_source: TokenSource | None = None
) -> None:
    """Add the provider to a session's chain: after `env`, or first if a profile was named.

    Args:
        session: An aiobotocore or aioboto3 session.
        role: A role or its ARN. None: as configured in environment and profile.
        token_source: None: the default source of this machine.
    """
    inner = botocore_session_of(session, asynchronous=True)
    add_provider(inner, role, token_source)


def credentials(
    role_arn: str | Role | None = None,
    *,
    token_source: TokenSource | None = None,
    at_least: float = 0.0,
    **settings: Unpack[RoleSettings],
) -> AioBridgeCredentials:
    """Return aiobotocore credentials that refresh themselves: `await …get_frozen_credentials()`.

    Args:
        role_arn: As for `session`.
        token_source: As for `session`.
        at_least: As for `gcp_aws_bridge.credentials`.
        **settings: As for `session`.

    Raises:
        ConfigError: As for `session`.
    """
    return AioBridgeCredentials.wanted(
        role_arn, token_source=token_source, at_least=at_least, **settings
    )
