"""The cell of a role: which exchange it makes, and what makes two requests equal."""

from __future__ import annotations

from botocore.session import Session

from gcp_aws_bridge._cell import Cell
from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge._default_source import TokenSource, for_audience
from gcp_aws_bridge._exchange import exchange
from gcp_aws_bridge._registry import identity_of, registry
from gcp_aws_bridge._sts import sts_for
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._world import World
from gcp_aws_bridge.config import Role


def shared_cell(source: TokenSource | None, role: Role, session: Session) -> Cell[AwsCredentials]:
    """The one that equal requests share."""
    bound = for_audience(source, role.audience, registry.world)
    sts = sts_for(session, role)

    def make(world: World) -> Cell[AwsCredentials]:
        @without_inner_frames  # *bound* is the user's, and its repr may show a secret
        def fetch() -> AwsCredentials:
            return exchange(bound, role, sts, clock=world.clock)

        return Cell(
            fetch,
            label=role.arn,
            session_name=role.session_name,
            world=world,
        )

    return registry.cell((identity_of(bound), role, sts), make)
