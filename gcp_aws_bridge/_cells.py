"""The cell of a role: which exchange it makes, and what makes two requests equal."""

from __future__ import annotations

from botocore.session import Session

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import identity_of, registry
from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge._default_source import TokenSource, for_audience
from gcp_aws_bridge._exchange import exchange
from gcp_aws_bridge._sts import sts_for
from gcp_aws_bridge.config import Role


def shared_cell(
    source: TokenSource | None, role: Role, session: Session
) -> CredentialCache[AwsCredentials]:
    """The one that equal requests share."""
    bound = for_audience(source, role.audience, registry.world)
    sts = sts_for(session, role)

    def make(world: World) -> CredentialCache[AwsCredentials]:
        return CredentialCache(
            lambda: exchange(bound, role, sts, clock=world.clock),
            label=role.arn,
            session_name=role.session_name,
            world=world,
        )

    return registry.cache_for((identity_of(bound), role, sts), make)
