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

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._federation import CLOUD_PLATFORM, Federation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gcp_aws_bridge.google._credentials import Credentials, IDTokenCredentials
    from gcp_aws_bridge.google._outbound import OutboundToken
    from gcp_aws_bridge.google._settings import Settings
    from gcp_aws_bridge.google._subject_tokens import SignedRequest

__all__ = [
    "Credentials",
    "Federation",
    "IDTokenCredentials",
    "OutboundToken",
    "SignedRequest",
    "credentials",
    "id_token_credentials",
    "install",
    "uninstall",
]


# Imported when first used: they import google-auth or botocore, which settings do not need.
_LAZY = {
    "Credentials": "_credentials",
    "IDTokenCredentials": "_credentials",
    "OutboundToken": "_outbound",
    "SignedRequest": "_subject_tokens",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


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
    from gcp_aws_bridge.google._credentials import Credentials, SigningCredentials
    from gcp_aws_bridge.google._settings import identity_of

    identity, quota_project_id = identity_of(audience, **settings)
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
    from gcp_aws_bridge.google._credentials import IDTokenCredentials
    from gcp_aws_bridge.google._settings import identity_of

    identity, quota_project_id = identity_of(audience, **settings)
    if identity.federation.service_account is None:
        raise ConfigError(
            "ID tokens need a service account, and none is configured.",
            fix="pass service_account=, or set GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT.",
            error_id="config/google-service-account",
        )
    return IDTokenCredentials(identity, target_audience, quota_project_id)


def install(audience: str | Federation | None = None, **settings: Unpack[Settings]) -> None:
    """Let `google.auth.default()` return credentials of this machine's AWS identity, and a project.

    For libraries that create their own clients. Also affects code that has imported `default` by
    name. The arguments of `default` apply: scopes, default scopes, quota project. Without scopes,
    the token has cloud-platform, until a client adds its own. The project is the one in the
    environment (`GOOGLE_CLOUD_PROJECT`), else the service account's, else the number of the pool's.

    Credentials in a file that `GOOGLE_APPLICATION_CREDENTIALS` names come first, which the library
    logs once at INFO, except a credential configuration for federation, which contains settings.
    Without an AWS identity, or without a provider (logged once as a warning), `default` returns
    what it would return otherwise. Another call replaces the settings.

    Args:
        audience: See `credentials`, also for the settings. None: determined in each call of
            `default`.

    Raises:
        ConfigError: An argument is malformed, or the installed google-auth is not supported.
    """
    from gcp_aws_bridge.google import _install
    from gcp_aws_bridge.google._settings import identity_of

    if audience is not None:
        identity_of(audience, **settings)
    _install.changed_by_program.set()
    _install.install(lambda: identity_of(audience, **settings))


def uninstall() -> None:
    """Undo `install` for later calls of `default`. Existing credentials stay as they are."""
    from gcp_aws_bridge.google import _install

    _install.changed_by_program.set()
    _install.uninstall()
