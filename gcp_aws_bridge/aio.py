"""The same for aiobotocore and aioboto3: no event loop is blocked, and threads share with tasks.

    from gcp_aws_bridge import aio

    session = aio.session("arn:aws:iam::123456789012:role/etl")
    async with session.create_client("s3") as s3:
        await s3.list_buckets()

    aioboto3.Session(botocore_session=aio.session(…))

Needs `gcp-aws-bridge[aio]`. Works on any event loop of asyncio's kind (uvloop), and on several in
one process: all share one exchange with each other and with threads. A task that is cancelled
while it waits cancels nobody else.
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
    """Make an aiobotocore session whose clients trade this machine's Google ID token for keys.

    Asks no network itself, but makes botocore's STS client: some 20 ms of the processor's time,
    once in a process. Make it before the event loop is busy. Pickles as its settings.

    Args:
        role_arn: As for `gcp_aws_bridge.session`, and so are *token_source* and the settings
            (`audience`, `role_session_name`, `duration_seconds`, `chain`, `policy`,
            `policy_arns`).
        region_name: Of the session, and of STS where it lies in the role's partition.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    return BridgeAioSession(
        role_arn, region_name=region_name, token_source=token_source, **settings
    )


def register(
    session: Any, role: Role | str | None = None, *, token_source: TokenSource | None = None
) -> None:
    """Add the provider to a session's chain: after `env`, first where a profile was named.

    Args:
        session: An aiobotocore or aioboto3 session.
        role: A role or its ARN. None: environment and profile say.
        token_source: None: what this machine has.
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
    """Make aiobotocore credentials that renew themselves: `await …get_frozen_credentials()`.

    Args:
        role_arn: As for `session`, and so are *token_source* and the settings.
        at_least: As for `gcp_aws_bridge.credentials`.

    Raises:
        ConfigError: As for `session`.
    """
    return AioBridgeCredentials.wanted(
        role_arn, token_source=token_source, at_least=at_least, **settings
    )
