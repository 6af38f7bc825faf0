"""The other direction: a workload on AWS calls Google Cloud without keys.

    from gcp_aws_bridge import google

    credentials = google.credentials(
        "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/aws"
        "/providers/eks",
        service_account="publisher@my-project.iam.gserviceaccount.com",
    )
    publisher = pubsub_v1.PublisherClient(credentials=credentials)

Exchanges an AWS identity (EKS Pod Identity, IRSA, ECS, Lambda, EC2, SSO, a profile: all that
botocore supports) for an access token at Google's token endpoint, by Workload Identity Federation.
Tokens are refreshed in the background, as in the other direction. Needs `gcp-aws-bridge[google]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._credentials import Credentials, IDTokenCredentials, SigningCredentials
from gcp_aws_bridge.google._exchange import CLOUD_PLATFORM
from gcp_aws_bridge.google._federated_identity import Identity
from gcp_aws_bridge.google._federation import Federation, configured
from gcp_aws_bridge.google._sources import choose
from gcp_aws_bridge.google._subject_tokens import SignedRequest

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack

    from gcp_aws_bridge.google._outbound import OutboundToken

    class Settings(TypedDict, total=False):
        """Settings of `credentials` and `id_token_credentials` as keyword arguments."""

        service_account: str | None
        source: str | SignedRequest | OutboundToken | Callable[[], str] | None
        session: Any
        lifetime_s: int | None
        quota_project_id: str | None
        request: Callable[..., Any] | None


__all__ = [
    "Credentials",
    "Federation",
    "IDTokenCredentials",
    "OutboundToken",
    "SignedRequest",
    "credentials",
    "id_token_credentials",
]


def __getattr__(name: str) -> Any:
    if name != "OutboundToken":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gcp_aws_bridge.google._outbound import OutboundToken  # imports botocore

    return OutboundToken


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def credentials(
    audience: str | Federation | None = None,
    *,
    scopes: Sequence[str] = (CLOUD_PLATFORM,),
    **settings: Unpack[Settings],
) -> Credentials:
    """Create google-auth credentials for any google-cloud client, from this machine's AWS identity.

    Sends no request until the credentials are first used. Equal credentials share a token.

    Args:
        audience: Name of the workload identity pool provider, or a `Federation` with all its
            settings. None: GCP_AWS_BRIDGE_GOOGLE_AUDIENCE, or the credential configuration file
            that GOOGLE_APPLICATION_CREDENTIALS names.
        scopes: Scopes of the access token, as URLs. If empty, each client adds its own.
        service_account: E-mail of the service account to impersonate. None:
            GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT, or the federated identity itself.
        source: `"signed-request"`, `"token-file"`, `"outbound"`, a `SignedRequest`, an
            `OutboundToken`, or any `() -> str` that returns an OIDC token. None: a token file for
            this provider, or a signed request.
        session: A boto3 or botocore session whose AWS credentials sign. None: the identity in the
            current environment. If the environment later names another identity, the credentials
            are not refreshed.
        lifetime_s: Lifetime of a service account's tokens in seconds, 600 to 43200. Default: 3600.
        quota_project_id: Project for quota and billing of requests.
        request: A `google.auth.transport.Request` that reaches Google. Default: requests.

    Raises:
        ConfigError: No audience is configured, a setting is malformed, or an argument has a wrong
            type.
    """
    identity, quota_project_id = _identity(audience, **settings)
    signs = identity.federation.service_account is not None
    return (SigningCredentials if signs else Credentials)(identity, scopes, quota_project_id)


def id_token_credentials(
    target_audience: str,
    audience: str | Federation | None = None,
    **settings: Unpack[Settings],
) -> IDTokenCredentials:
    """Create google-auth credentials whose tokens are ID tokens, for example for Cloud Run or IAP.

    Args:
        target_audience: URL of the service, or IAP's client id.
        audience: See `credentials`, also for the settings. A service account is required.

    Raises:
        ConfigError: See `credentials`; or no service account is configured.
    """
    identity, quota_project_id = _identity(audience, **settings)
    if identity.federation.service_account is None:
        raise ConfigError(
            "ID tokens need a service account, and none is configured.",
            fix="pass service_account=, or set GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT.",
            error_id="config/google-service-account",
        )
    return IDTokenCredentials(identity, target_audience, quota_project_id)


def _identity(
    audience: str | Federation | None,
    *,
    service_account: str | None = None,
    source: Any = None,
    session: Any = None,
    lifetime_s: int | None = None,
    quota_project_id: str | None = None,
    request: Callable[..., Any] | None = None,
) -> tuple[Identity, str | None]:
    document: dict[str, Any] = {}
    if isinstance(audience, Federation):
        if service_account is not None or lifetime_s is not None:
            raise ConfigError(
                "A Federation was passed together with settings that it contains itself.",
                fix="put them into the Federation: dataclasses.replace(federation, …).",
                error_id="config/google-setting",
            )
        federation = audience
    else:
        federation, document = configured(
            audience=audience, service_account=service_account, lifetime_s=lifetime_s
        )
    chosen = choose(source, session, federation, document)
    if quota_project_id is None or quota_project_id == "":
        quota_project_id = document.get("quota_project_id")
    return Identity(federation, chosen, request), quota_project_id
