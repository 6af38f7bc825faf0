"""Options for the role, and what commands make of them. Imports little."""

from __future__ import annotations

import argparse

from gcp_aws_bridge.cli import _chain_options

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

    import botocore.session

    from gcp_aws_bridge._cache.cache import CredentialCache
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.default import TokenSource

_SETTINGS = (
    *("role_arn", "audience", "role_session_name", "duration_seconds", "chain"),
    "sts_regions",
)
_SOURCES = ("impersonate", "id_token_file")
_FROM = ("profile", "region")


def add_role(parser: argparse.ArgumentParser) -> None:
    """Declare the role, which defaults to that of the environment or the profile."""
    parser.add_argument(
        "--role-arn",
        metavar="ARN",
        help="the role that trusts the Google identity (default: GCP_AWS_BRIDGE_ROLE_ARN, "
        "AWS_ROLE_ARN, or gcp_role_arn of the profile)",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare all other settings of the role."""
    parser.add_argument("--audience", help="audience of the ID token (default: sts.amazonaws.com)")
    parser.add_argument(
        "--role-session-name",
        metavar="NAME",
        help="name in CloudTrail (default: name of the pod or host)",
    )
    parser.add_argument(
        "--duration-seconds",
        type=int,
        metavar="N",
        help="900 to 43200, at most 3600 with a chain (default: 3600)",
    )
    parser.add_argument("--profile", metavar="NAME", help="read settings from this AWS profile")
    parser.add_argument("--region", help="region of the STS endpoint (default: as for the AWS CLI)")
    parser.add_argument(
        "--sts-region",
        dest="sts_regions",
        action="append",
        metavar="REGION",
        help="region of the STS endpoint instead of --region; repeat it for regions that are used "
        "if the first has an outage",
    )
    add_source(parser)
    _chain_options.add(parser)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Declare the source of the ID token."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--impersonate",
        metavar="EMAIL",
        help="service account to impersonate with the Google credentials of this machine",
    )
    source.add_argument(
        "--id-token-file",
        metavar="FILE",
        help="read the ID token from this file, which another process keeps fresh",
    )


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the role on the command line, as plain values."""
    named = {name: getattr(options, name, None) for name in (*_SETTINGS, *_SOURCES, *_FROM)}
    return {name: value for name, value in named.items() if value is not None}


def role_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of `Role` except its ARN; None for options that were not used."""
    return {name: getattr(options, name) for name in _SETTINGS if name != "role_arn"}


def source_of(options: argparse.Namespace) -> TokenSource | None:
    """Return the token source of the command line, or None for the default source."""
    if options.impersonate is not None:
        from gcp_aws_bridge.tokens import GoogleCredentials

        return GoogleCredentials(impersonate=options.impersonate)
    if options.id_token_file is not None:
        from gcp_aws_bridge._tokens.token_file import TokenFile

        return TokenFile(options.id_token_file)
    return None


def cache_of(
    options: argparse.Namespace, role_arn: str | None, world: World
) -> CredentialCache[AwsCredentials]:
    """Return the cache of *role_arn*, or of the configured role, with the settings in *options*.

    The exchange does without botocore where that makes no difference. botocore takes nine tenths of
    the time of a short command, and most of the memory of a server.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    from gcp_aws_bridge._cache.logger import log
    from gcp_aws_bridge._sts.direct_exchange import direct_cache
    from gcp_aws_bridge._sts.direct_settings import NeedsBotocore

    try:
        if options.impersonate is not None:
            raise NeedsBotocore("impersonation needs Google's library")
        return direct_cache(
            {"arn": role_arn, **role_settings(options)},
            options.id_token_file,
            profile=options.profile,
            region=options.region,
            world=world,
        )
    except NeedsBotocore as reason:
        log.debug("botocore makes the exchange, since %s", reason)
    return _cache_by_botocore(options, role_arn, world)


def _cache_by_botocore(
    options: argparse.Namespace, role_arn: str | None, world: World
) -> CredentialCache[AwsCredentials]:
    import botocore.exceptions

    from gcp_aws_bridge._botocore.request import Request
    from gcp_aws_bridge._cache.sharing import registry
    from gcp_aws_bridge._sts.session_settings import no_profile

    registry.world = world
    session = session_of(options)
    settings = role_settings(options)
    try:
        _only_sts(session)
        return Request.of(role_arn, source_of(options), session=session, **settings).cache()
    except botocore.exceptions.ProfileNotFound as error:
        raise no_profile(error) from None


def session_of(options: argparse.Namespace) -> botocore.session.Session:
    """Return the botocore session for the profile and region in *options*."""
    import botocore.session

    from gcp_aws_bridge._sts.connection import direct

    session = direct(botocore.session.Session(profile=options.profile))
    if options.region is not None:
        session.set_config_variable("region", options.region)
    return session


def _only_sts(session: botocore.session.Session) -> None:
    """Keep botocore from listing its 400 services twice: the session makes only an STS client."""
    from botocore.loaders import create_loader

    loader: Any = create_loader(session.get_config_variable("data_path"))
    loader.list_available_services = lambda type_name: ["sts"]
    session.register_component("data_loader", loader)
