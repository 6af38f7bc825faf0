"""Options for the identity in Google Cloud, and what commands make of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from typing import Any

    from gcp_aws_bridge.google._federated_identity import Identity
    from gcp_aws_bridge.google._federation import Federation
    from gcp_aws_bridge.server.metadata import Account

SOURCES = ("signed-request", "token-file", "outbound")


def add_federation(parser: argparse.ArgumentParser) -> None:
    """Declare the workload identity provider and the service account to impersonate."""
    parser.add_argument(
        "--audience",
        metavar="PROVIDER",
        help="//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/"
        "providers/PROVIDER (default: GCP_AWS_BRIDGE_GOOGLE_AUDIENCE, or the file that "
        "GOOGLE_APPLICATION_CREDENTIALS names)",
    )
    parser.add_argument(
        "--service-account",
        metavar="EMAIL",
        help="service account to impersonate (default: GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT, else "
        "the federated identity itself is used)",
    )
    parser.add_argument(
        "--lifetime-seconds",
        type=int,
        metavar="N",
        help="lifetime of the service account's tokens: 600 to 3600, or up to 43200 if the "
        "organization allows it (default: 3600)",
    )
    parser.add_argument(
        "--source",
        choices=SOURCES,
        help="kind of subject token (default: GCP_AWS_BRIDGE_GOOGLE_SOURCE, else a token file for "
        "the provider, else a signed request)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="file for --source token-file (default: GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE, "
        "AWS_WEB_IDENTITY_TOKEN_FILE)",
    )


def add_tokens(parser: argparse.ArgumentParser) -> None:
    """Declare the options of commands that request tokens."""
    add_federation(parser)
    parser.add_argument(
        "--scope",
        action="append",
        metavar="URL",
        help="scope of access tokens; may be repeated (default: cloud-platform)",
    )
    parser.add_argument("--profile", metavar="NAME", help="AWS profile of the AWS identity")


def add_server(parser: argparse.ArgumentParser) -> None:
    """Declare the options of commands that run a metadata server."""
    add_tokens(parser)
    parser.add_argument(
        "--project-id",
        metavar="ID",
        help="project that SDKs find (default: the service account's project, else the number of "
        "the pool's project)",
    )


def federation_of(options: argparse.Namespace, **more: Any) -> tuple[Federation, dict[str, Any]]:
    """Return the federation, and the credential configuration if one was read.

    Raises:
        ConfigError: No provider is configured, or a setting is malformed.
    """
    from gcp_aws_bridge.google._federation import configured

    return configured(
        audience=options.audience,
        service_account=options.service_account,
        lifetime_s=options.lifetime_seconds,
        **more,
    )


def source_name(options: argparse.Namespace) -> str | None:
    """Return the source that the command line names, if any.

    Raises:
        ConfigError: It names two sources.
    """
    named: str | None = options.source
    if options.token_file is None:
        return named
    if named not in (None, "token-file"):
        raise ConfigError(
            f"--token-file was given together with --source {named}.",
            fix="omit one of them.",
            error_id="config/google-source",
        )
    return "token-file"


def source_of(options: argparse.Namespace, federation: Federation, document: dict[str, Any]) -> Any:
    """Return the source of subject tokens.

    Raises:
        ConfigError: There is no such source, or a setting that it needs is missing.
    """
    from gcp_aws_bridge.google._sources import choose

    given: Any = source_name(options)
    if options.token_file is not None:
        from gcp_aws_bridge._tokens.token_file import TokenFile

        given = TokenFile(options.token_file)
    session = None if options.profile is None else _session(options.profile)
    return choose(given, session, federation, document)


def _session(profile: str) -> Any:
    import botocore.exceptions
    import botocore.session

    from gcp_aws_bridge._sts.connection import direct
    from gcp_aws_bridge._sts.session_settings import no_profile

    session = direct(botocore.session.Session(profile=profile))
    try:
        session.get_scoped_config()
    except botocore.exceptions.ProfileNotFound as error:
        raise no_profile(error) from None
    return session


def identity_of(options: argparse.Namespace) -> Identity:
    """Return the federated identity; raises as `federation_of` and `source_of` do."""
    from gcp_aws_bridge.google._federated_identity import Identity

    federation, document = federation_of(options)
    return Identity(federation, source_of(options, federation, document))


def scopes_of(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the scopes of access tokens."""
    from gcp_aws_bridge.google._federation import CLOUD_PLATFORM

    return tuple(sorted({*options.scope})) if options.scope else (CLOUD_PLATFORM,)


def account_of(options: argparse.Namespace) -> Account:
    """Return the account that the metadata server presents to SDKs.

    Raises:
        ConfigError: No provider is configured, or a setting is malformed.
    """
    from gcp_aws_bridge.server.metadata import Account

    identity = identity_of(options)
    federation = identity.federation
    email = federation.service_account
    # projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER
    number, _, _, _, pool, *_ = federation.audience.partition("projects/")[2].split("/")
    return Account(
        # For an identity without an e-mail address, GKE's server has the name of its workload pool
        # here; this is Google's form for other pools ("Managed workload identities": trust domain).
        email=email or f"{pool}.global.{number}.workload.id.goog",
        scopes=scopes_of(options),
        project_id=options.project_id or federation.project,
        project_number=number,
        universe_domain=federation.universe_domain,
        access=identity.access,
        id_token=identity.id_token if email else None,
    )


def server_variables(url: str) -> dict[str, str]:
    """Return the variables by which SDKs find a metadata server.

    Most SDKs read the first, older ones, gcloud and C++ the last. Python and JavaScript use the
    second for a ping; other SDKs take it for the address.
    """
    at = url.partition("//")[2]
    return {"GCE_METADATA_HOST": at, "GCE_METADATA_IP": at, "GCE_METADATA_ROOT": at}
