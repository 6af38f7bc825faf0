"""`session()` and `credentials()`, which return a boto3 session or credentials for a role."""

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
    from gcp_aws_bridge.config import ChainedRole


def session(
    role_arn: str | Role | None = None,
    *,
    audience: str | None = None,
    role_session_name: str | None = None,
    duration_seconds: int | None = None,
    region_name: str | None = None,
    chain: Sequence[str | ChainedRole] = (),
    policy: str | Mapping[str, Any] | None = None,
    policy_arns: Sequence[str] = (),
    sts_regions: Sequence[str] = (),
    token_source: TokenSource | None = None,
    botocore_session: botocore.session.Session | None = None,
) -> boto3.Session:
    """Create a boto3 session whose clients exchange this machine's Google ID token for credentials.

    Sends no request itself. The exchange starts in the background when the first client is created;
    the first request waits for it. Before the credentials expire, they are refreshed in the
    background. Sessions with equal roles share credentials. The session never uses other providers:
    it has these credentials, or raises an error.

    Args:
        role_arn: ARN of the role, or a `Role` instead of all other settings. None: from the
            environment or the profile (see docs/reference/settings.md).
        audience: Audience of the ID token. Default: `sts.amazonaws.com`.
        role_session_name: Role session name, which CloudTrail shows. Default: the name of the pod
            or host.
        duration_seconds: Session duration, 900 to 43200; at most 3600 with a chain. Default: 3600.
        region_name: Region of the session, and of STS if it is in the role's partition.
        chain: Chained roles, each assumed with the credentials of the previous role: ARNs, or a
            `ChainedRole` for each that needs an external ID, tags or other settings of its own.
        policy: Session policy, JSON text or a mapping, which limits the permissions of the last
            role.
        policy_arns: Up to 10 managed policies, which limit them too.
        sts_regions: Regions whose STS is used instead of the session's, in order of preference: the
            next one in an outage of the one before it.
        token_source: Any `() -> str` that returns an ID token. Default: the source that this
            machine has.
        botocore_session: A session to use. Default: a new session.

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
        sts_regions=sts_regions,
    )
    outer = _boto3_session(request, region_name)
    given = Given(BridgeCredentials(request))
    inner.register_component("credential_provider", CredentialResolver([given]))
    forget_resolved(inner, explicit_too=True)
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
    """Create botocore credentials that refresh themselves, for any SigV4 signer.

    For code that accepts credentials and not a session: opensearch-py, requests-aws4auth, your own
    signers. Sends no request until the credentials are first used.

    Args:
        role_arn: See `session`, also for *token_source* and the settings (`audience`,
            `role_session_name`, `duration_seconds`, `chain`, `policy`, `policy_arns`,
            `sts_regions`).
        botocore_session: Session with the region, profile and proxy settings for STS. Default: a
            session that all calls share.
        at_least: Seconds for which the signer needs the credentials, for example for presigned
            URLs; limited to 90 % of the session's lifetime.

    Raises:
        ConfigError: See `session`.
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
