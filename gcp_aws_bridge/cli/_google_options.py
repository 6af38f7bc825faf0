"""The options that say which identity at Google is wanted, for every command of that direction."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from typing import Any

    from gcp_aws_bridge.google._federated_identity import Identity
    from gcp_aws_bridge.google._federation import Federation

SOURCES = ("signed-request", "token-file", "outbound")


def add_federation(parser: argparse.ArgumentParser) -> None:
    """The provider, and whom to act as by it."""
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
        help="act as this one (default: GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT, else the federated "
        "identity itself)",
    )
    parser.add_argument(
        "--lifetime-seconds",
        type=int,
        metavar="N",
        help="of the service account's tokens: 600 to 3600, to 43200 where the organization "
        "allows it (default: 3600)",
    )
    parser.add_argument(
        "--source",
        choices=SOURCES,
        help="what is shown to Google (default: GCP_AWS_BRIDGE_GOOGLE_SOURCE, else a token file "
        "that is for the provider, else a signed request)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="of source token-file (default: GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE, "
        "AWS_WEB_IDENTITY_TOKEN_FILE)",
    )


def add_tokens(parser: argparse.ArgumentParser) -> None:
    """What else a command needs that has tokens made."""
    add_federation(parser)
    parser.add_argument(
        "--scope",
        action="append",
        metavar="URL",
        help="of access tokens; may be repeated (default: cloud-platform, by which IAM decides)",
    )
    parser.add_argument("--profile", metavar="NAME", help="the AWS identity is this AWS profile's")


def federation_of(options: argparse.Namespace, **more: Any) -> tuple[Federation, dict[str, Any]]:
    """What is wanted, and the credential configuration where one was read.

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
    """The source that the command line names, if any.

    Raises:
        ConfigError: It names two.
    """
    named: str | None = options.source
    if options.token_file is None:
        return named
    if named not in (None, "token-file"):
        raise ConfigError(
            f"--token-file was given together with --source {named}.",
            fix="leave one of them out.",
            error_id="config/google-source",
        )
    return "token-file"


def source_of(options: argparse.Namespace, federation: Federation, document: dict[str, Any]) -> Any:
    """What proves who runs here.

    Raises:
        ConfigError: There is no such source, or it takes what is not here.
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
    """Who is to be proved to whom; errors as above."""
    from gcp_aws_bridge.google._federated_identity import Identity

    federation, document = federation_of(options)
    return Identity(federation, source_of(options, federation, document))


def scopes_of(options: argparse.Namespace) -> tuple[str, ...]:
    """What access tokens are for."""
    from gcp_aws_bridge.google._exchange import CLOUD_PLATFORM

    return tuple(sorted({*options.scope})) if options.scope else (CLOUD_PLATFORM,)
