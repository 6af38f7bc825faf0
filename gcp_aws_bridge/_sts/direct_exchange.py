"""The exchange of a command that ends after it, without botocore where that makes no difference.

botocore takes nine tenths of the time of such a command.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge import _settings
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._sts import direct_settings
from gcp_aws_bridge._sts.calls import StsCalls
from gcp_aws_bridge._sts.direct import DirectRequests
from gcp_aws_bridge._sts.direct_settings import NeedsBotocore
from gcp_aws_bridge._sts.exchange import exchange
from gcp_aws_bridge._sts.region import region_of
from gcp_aws_bridge._sts.regions import StsRegions
from gcp_aws_bridge._tokens.environment import absolute
from gcp_aws_bridge._tokens.first_available import first_token
from gcp_aws_bridge._tokens.metadata import GoogleEnvironment, MetadataRequests
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config._first_role import FirstRole

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.default import TokenSource


@without_inner_frames  # the environment may hold keys
def direct_cache(
    arguments: Mapping[str, Any],
    token_file: str | None,
    *,
    profile: str | None,
    region: str | None,
    world: World,
) -> CredentialCache[AwsCredentials]:
    """Return a cache for the configured role that sends its requests itself.

    Args:
        arguments: Fields of `Role`; None for those that were not given.
        token_file: Path of a file with an ID token. None: the default source.
        profile: Name of a profile, or None.
        region: Name of a region, or None.
        world: Clocks and other dependencies.

    Raises:
        NeedsBotocore: A setting is unusual, or the role has a chain.
        ConfigError: A setting is malformed.
    """
    environ = os.environ
    settings = direct_settings.read(profile, region, environ)
    named: dict[str, Any] = {"named_profile": settings.is_named}
    role = _settings.resolve(
        arguments, environ=environ, profile=settings.profile, make=_role, **named
    )
    if role is None:
        raise NeedsBotocore("no role is configured")
    deadline_s = _settings.metadata_deadline_s(environ, settings.profile, **named)
    source: TokenSource
    if token_file is None:
        source = _MetadataOnly(role.audience, world, deadline_s)
    else:
        from gcp_aws_bridge._tokens.token_file import TokenFile  # a dataclass, slow to import

        source = TokenFile(absolute(token_file))
    trusted = direct_settings.trusted(settings.profile, environ)
    first, *others = [
        StsCalls(name, DirectRequests(direct_settings.endpoint(name, environ), trusted))
        for name in role.sts_regions or (region_of(role, lambda: settings.region),)
    ]
    sts = StsRegions([first, *others], world) if others else first
    return CredentialCache(
        partial(exchange, source, role, sts, clock=world.clock),
        label=role.arn,
        session_name=role.session_name,
        world=world,
    )


def _role(**fields: Any) -> FirstRole:
    if fields.get("chain"):
        raise NeedsBotocore("requests for chained roles are signed")
    fields.pop("chain", None)
    return FirstRole(**fields)


class _MetadataOnly:
    """The default source of a machine without credentials files of Google."""

    __name__ = "DefaultSource"  # for errors

    def __init__(self, audience: str, world: World, deadline_s: float | None) -> None:
        places = GoogleEnvironment.now()
        if places.credentials_file is not None or os.path.isfile(places.gcloud_file):
            raise NeedsBotocore("the ID token needs Google's library")
        self._server = MetadataRequests(audience, world, places.metadata_host, deadline_s)

    @without_inner_frames
    def __call__(self) -> str:
        return first_token([("metadata server", self._server)])
