"""`session()` and `credentials()`: from a role's ARN to a boto3 session, or to any signer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.credentials import CredentialResolver

from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge._botocore.provider import Given
from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._botocore.retry_rejected import watch
from gcp_aws_bridge._sts.session_settings import botocore_session_of, forget_resolved
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    import boto3
    from typing_extensions import Unpack

    from gcp_aws_bridge._botocore.request import RoleSettings
    from gcp_aws_bridge._tokens.default import TokenSource


def session(
    role_arn: str | Role | None = None,
    *,
    audience: str | None = None,
    role_session_name: str | None = None,
    duration_seconds: int | None = None,
    region_name: str | None = None,
    chain: Sequence[str] = (),
    policy: str | Mapping[str, Any] | None = None,
    policy_arns: Sequence[str] = (),
    token_source: TokenSource | None = None,
    botocore_session: botocore.session.Session | None = None,
) -> boto3.Session:
    """Make a boto3 session whose clients exchange this machine's Google ID token for credentials.

    Makes no request itself. The exchange starts in the background when the first client is made;
    the first request waits for it. It is repeated in the background before the credentials expire.
    Sessions with equal roles share it. The session has these credentials or an error: it never
    falls through to other providers.

    Args:
        role_arn: The role, or a `Role` instead of all settings here. None: the role is named by the
            environment or the profile (see docs/reference/settings.md).
        audience: The audience of the ID token. Default: `sts.amazonaws.com`.
        role_session_name: Shows in CloudTrail. Default: the name of the pod or host.
        duration_seconds: 900 to 43200; at most 3600 with a chain. Default: 3600.
        region_name: The region of the session, and of STS if it lies in the role's partition.
        chain: ARNs of roles to assume, each with the credentials of the one before.
        policy: A session policy, JSON text or a mapping; it narrows what the last role allows.
        policy_arns: Up to 10 managed policies, which narrow it too.
        token_source: Any `() -> str` that returns an ID token. Default: the source that this
            machine has.
        botocore_session: A session to build on. Default: a new one.

    Raises:
        ConfigError: No role is configured, a setting is malformed, or boto3 is not installed.
    """
    inner = botocore_session_of(botocore_session or botocore.session.get_session())
    if region_name is not None:
        inner.set_config_variable("region", region_name)
    request = Request.of(
        role_arn,
        token_source,
        session=inner,
        is_own=botocore_session is not None,
        audience=audience,
        role_session_name=role_session_name,
        duration_seconds=duration_seconds,
        chain=chain,
        policy=policy,
        policy_arns=policy_arns,
    )
    outer = _boto3_session(request, region_name)
    given = Given(BridgeCredentials(request))
    inner.register_component("credential_provider", CredentialResolver([given]))
    forget_resolved(inner, given_too=True)
    watch(inner)
    return outer


def credentials(
    role_arn: str | Role | None = None,
    *,
    token_source: TokenSource | None = None,
    botocore_session: botocore.session.Session | None = None,
    at_least: float = 0.0,
    **settings: Unpack[RoleSettings],
) -> BridgeCredentials:
    """Make botocore credentials that refresh themselves, for any SigV4 signer.

    For code that takes credentials and not a session: opensearch-py, requests-aws4auth, signers of
    your own. Makes no request until the credentials are first used.

    Args:
        role_arn: As for `session`, like *token_source* and the settings (`audience`,
            `role_session_name`, `duration_seconds`, `chain`, `policy`, `policy_arns`).
        botocore_session: The session whose region, profile and proxy settings reach STS. Default:
            a session that all calls share.
        at_least: Seconds for which the signer needs the credentials that it reads: for presigned
            URLs, or other things that outlive a request. Counts as 90 % of the session's life at
            most.

    Raises:
        ConfigError: As for `session`.
    """
    own = botocore_session and botocore_session_of(botocore_session)
    is_own = own is not None
    request = Request.of(
        role_arn, token_source, session=own, is_own=is_own, at_least=at_least, **settings
    )
    return BridgeCredentials(request)


def _boto3_session(request: Request, region_name: str | None) -> boto3.Session:
    try:
        from gcp_aws_bridge._botocore.boto3 import BridgeSession
    except ImportError:
        raise ConfigError(
            "boto3 is not installed.",
            fix="pip install 'gcp-aws-bridge[boto3]'; without boto3 there is "
            "bridge.register(botocore_session) and bridge.credentials(...).",
            error_id="config/extra-boto3",
        ) from None
    return BridgeSession(request, region_name, made_by=session)
