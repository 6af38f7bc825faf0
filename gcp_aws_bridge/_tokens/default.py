"""The default token source, and the audience of token sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import field, fields, is_dataclass, replace
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._tokens.environment import EnvironmentBound, bound
from gcp_aws_bridge._tokens.first_available import first_token
from gcp_aws_bridge._tokens.metadata import GoogleEnvironment
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._value import Value, value
from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

TokenSource = Callable[[], str]


@value(frozen=True)
class DefaultSource(Value, EnvironmentBound):
    """The token source of this machine, the first one available in this order.

    1. `GOOGLE_APPLICATION_CREDENTIALS`, if it is set;
    2. the metadata server;
    3. the credentials file of `gcloud auth application-default login`, if it exists.

    A session or credentials keep the files and the server that the environment named when they were
    created.

    Raises:
        TokenUnavailable: No source is available; the message has the reason for each.
        TokenError: A source is broken, or its request was denied; later sources are not tried.
    """

    audience: str | None = None
    world: World = field(default=REAL, repr=False, compare=False)
    # None: the environment of each call.
    _environment: GoogleEnvironment | None = field(default=None, init=False, repr=False)
    _deadline_s: float | None = field(default=None, init=False, repr=False)

    @without_inner_frames
    def __call__(self) -> str:
        return first_token(self._candidates())

    def _bound(self) -> Self:
        """Return a copy that keeps the files and the server of the current environment."""
        return bound(self, _environment=GoogleEnvironment.now())

    def _uses_google_auth(self) -> bool:
        places = self._environment or GoogleEnvironment.now()
        return places.credentials_file is not None or os.path.isfile(places.gcloud_file)

    def _candidates(self) -> Iterator[tuple[str, TokenSource]]:
        variable = "GOOGLE_APPLICATION_CREDENTIALS"
        places = self._environment or GoogleEnvironment.now()
        if places.credentials_file is not None:
            yield variable, self._from_google_auth()
        server = MetadataServer(self.audience, world=self.world)
        if self._environment:
            server = bound(server, _host=places.metadata_host, _deadline_s=self._deadline_s)
        yield "metadata server", server
        if places.credentials_file is None and os.path.isfile(places.gcloud_file):
            yield "gcloud application-default credentials", self._from_google_auth()

    def _from_google_auth(self) -> TokenSource:
        from gcp_aws_bridge._tokens.google_auth import GoogleCredentials  # not needed in a pod

        source = GoogleCredentials(audience=self.audience)
        return source._bound(self._environment) if self._environment else source


def for_audience(source: TokenSource | None, audience: str, world: World = REAL) -> TokenSource:
    """Return *source*, or the default source, for tokens with *audience*.

    A dataclass with an `audience` field, like all sources of this package, gets the role's
    audience; other sources are returned unchanged. The exchange checks the token's audience in both
    cases.

    Raises:
        ConfigError: The source is not callable, or has another audience.
    """
    if source is None:
        return DefaultSource(audience, world=world)
    if not callable(source):
        raise ConfigError(
            f"token_source is a {type(source).__name__}; it must be callable without arguments.",
            fix="pass a function that returns an ID token, or one of gcp_aws_bridge.tokens.",
            error_id="config/token-source",
        )
    if isinstance(source, type) or not is_dataclass(source):
        return source
    if "audience" not in {each.name for each in fields(source)}:
        return source
    own = source.audience
    if own not in (None, audience):
        raise ConfigError(
            f'The token source has the audience "{own}", the role has "{audience}".',
            fix="set the audience of the role or session, and omit that of the token source.",
            error_id="config/audience",
        )
    # Use the clocks of the credential cache, unless the source has others.
    clocks = {"world": world} if getattr(source, "world", None) is REAL else {}
    made: TokenSource = replace(source, audience=audience, **clocks)
    return made
