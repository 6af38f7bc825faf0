"""The exchange of a request, bound to the environment in which the request is made."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.session import Session

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import Clock, World
from gcp_aws_bridge._cache.sharing import identity_of, registry
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.exchange import exchange
from gcp_aws_bridge._sts.session_settings import metadata_deadline_s
from gcp_aws_bridge._sts.shared import sts_for
from gcp_aws_bridge._tokens.bound import bound_source
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge._tokens.environment import digest, user
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import Role

if TYPE_CHECKING:
    from gcp_aws_bridge._sts.client import Sts
    from gcp_aws_bridge._sts.regions import StsRegions

# Not part of a source's settings: the clock, and google-auth credentials, which hold a secret.
_NO_SETTING = ("world", "credentials")


class BoundExchange:
    """An exchange whose identity and servers are fixed when it is created, by the environment.

    All settings that select the identity or a server are either stored here or part of `key`.

    Raises:
        ConfigError: See `for_audience` and `sts_for`.
    """

    def __init__(self, source: TokenSource | None, role: Role, session: Session) -> None:
        self._source = bound_source(
            source, role.audience, registry.world, metadata_deadline_s(session)
        )
        # The default session name contains the host's name, which is read now.
        self._role = replace(role, role_session_name=role.session_name)
        self._sts = sts_for(session, role)
        self.key: Hashable = (
            identity_of(self._source.source),
            self._source.variables,
            self._role,
            self._sts.key,
            user(),
        )

    @property
    def environment(self) -> str:
        """Digest of the environment's part of the key; the same for equal requests."""
        call = self._source.call
        ours = type(call).__module__.startswith("gcp_aws_bridge.")
        settings = sorted(vars(call).items()) if ours else []
        bound = [(name, value) for name, value in settings if name not in _NO_SETTING]
        return digest(bound, self._source.variables, self._role, self._sts.key, user())[:16]

    def cache(self) -> CredentialCache[AwsCredentials]:
        """Return the credential cache that equal requests share."""
        source, role, sts = self._source.call, self._role, self._sts

        def make(world: World) -> CredentialCache[AwsCredentials]:
            return CredentialCache(
                _Fetch(source, role, sts.with_world(world), world.clock),
                label=role.arn,
                session_name=role.session_name,
                world=world,
            )

        return registry.cache_for(self.key, make)


class _Fetch:
    """One exchange with nothing left to choose. Its `repr` shows nothing of the source.

    One object instead of a closure's ten: a process may have thousands, and the garbage collector
    stops the process for as long as it looks through them.
    """

    __slots__ = ("_clock", "_role", "_source", "_sts")

    def __init__(
        self, source: TokenSource, role: Role, sts: Sts | StsRegions, clock: Clock
    ) -> None:
        self._source, self._role, self._sts, self._clock = source, role, sts, clock

    @without_inner_frames  # the source is the user's, and its repr may show a secret
    def __call__(self) -> AwsCredentials:
        return exchange(self._source, self._role, self._sts, clock=self._clock)
