"""The other direction: a workload on AWS calls Google Cloud, with no keys.

    from gcp_aws_bridge import google

    credentials = google.credentials(
        "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/aws"
        "/providers/eks",
        service_account="publisher@my-project.iam.gserviceaccount.com",
    )
    publisher = pubsub_v1.PublisherClient(credentials=credentials)

An AWS identity (EKS Pod Identity, IRSA, ECS, Lambda, EC2, SSO, a profile: whatever botocore finds)
is traded at Google's token endpoint for an access token, and kept fresh off the caller's path as in
the other direction: Workload Identity Federation. Needs `gcp-aws-bridge[google]`.
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
        """How an AWS identity is proved to Google, as keyword arguments."""

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
    from gcp_aws_bridge.google._outbound import OutboundToken  # and with it botocore

    return OutboundToken


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def credentials(
    audience: str | Federation | None = None,
    *,
    scopes: Sequence[str] = (CLOUD_PLATFORM,),
    **settings: Unpack[Settings],
) -> Credentials:
    """Make google-auth credentials for any google-cloud client, from this machine's AWS identity.

    Asks no network until they are first used. Equal ones share a token, however many clients
    there are.

    Args:
        audience: The workload identity pool's provider, or a `Federation` in place of all that
            it says. None: GCP_AWS_BRIDGE_GOOGLE_AUDIENCE, else the credential configuration file
            that GOOGLE_APPLICATION_CREDENTIALS names.
        scopes: Scopes of the access token: URLs. With none, each client adds its own.
        service_account: The e-mail of the service account to act as. None: the environment's
            GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT, or the federated identity itself.
        source: `"signed-request"`, `"token-file"`, `"outbound"`, a `SignedRequest`, an
            `OutboundToken`, or any `() -> str` that returns an OIDC token. None: a token file that
            is for this provider, else a signed request.
        session: boto3's or botocore's, whose AWS credentials sign. None: the identity that the
            environment names now; where it names another one later, these are not refreshed again.
        lifetime_s: Of a service account's tokens: 600 to 43200. Default: 3600.
        quota_project_id: Whose quota and bill the requests are.
        request: A `google.auth.transport.Request` that reaches Google. Default: by requests.

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
    """Make google-auth credentials whose tokens are ID tokens: for Cloud Run, IAP, and the like.

    Args:
        target_audience: The service that is called: its URL, or IAP's client id.
        audience: As for `credentials`, and so are the settings. A service account there must be.

    Raises:
        ConfigError: As for `credentials`; or there is no service account.
    """
    identity, quota_project_id = _identity(audience, **settings)
    if identity.federation.service_account is None:
        raise ConfigError(
            "An ID token is of a service account, and none was given.",
            fix="give service_account=, or set GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT.",
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
                "A Federation was given together with settings that it has itself.",
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
