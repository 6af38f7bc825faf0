"""The exchange of a command that ends after it, without botocore where that makes no difference.

botocore takes nine tenths of the time of such a command.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
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
from gcp_aws_bridge._tokens.bound import bound_source
from gcp_aws_bridge._tokens.environment import EnvironmentBound
from gcp_aws_bridge._traceback import without_inner_frames

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.default import TokenSource


@without_inner_frames  # the environment may hold keys
def direct_cache(
    arguments: Mapping[str, Any],
    source: TokenSource | None,
    *,
    profile: str | None,
    region: str | None,
    world: World,
) -> CredentialCache[AwsCredentials]:
    """Return a cache for the configured role that sends its requests itself.

    Args:
        arguments: Fields of `Role`; None for those that were not given.
        source: The token source. None: the default source.
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
    role = _settings.resolve(arguments, environ=environ, profile=settings.profile, **named)
    if role is None:
        raise NeedsBotocore("no role is configured")
    if role.chain:
        raise NeedsBotocore("requests for chained roles are signed")
    deadline_s = _settings.metadata_deadline_s(environ, settings.profile, **named)
    bound = bound_source(source, role.audience, world, deadline_s)
    if isinstance(bound.source, EnvironmentBound) and bound.source._uses_google_auth():
        raise NeedsBotocore("the ID token needs Google's library")
    trusted = direct_settings.trusted(settings.profile, environ)
    first, *others = [
        StsCalls(name, DirectRequests(direct_settings.endpoint(name, environ), trusted))
        for name in role.sts_regions or (region_of(role, lambda: settings.region),)
    ]
    sts = StsRegions([first, *others], world) if others else first
    # The default session name contains the host's name, which is read now.
    role = replace(role, role_session_name=role.session_name)
    return CredentialCache(
        partial(exchange, bound.call, role, sts, clock=world.clock),
        label=role.arn,
        session_name=role.session_name,
        world=world,
    )
