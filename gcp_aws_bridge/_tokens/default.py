"""Which token source a machine has, and how a source comes to ask for the role's audience."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._pickled import as_settings
from gcp_aws_bridge._tokens.environment import EnvironmentBound, bound
from gcp_aws_bridge._tokens.metadata import GoogleEnvironment, MetadataServer, looks_like_google
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import ConfigError, TokenUnavailable

if TYPE_CHECKING:
    from typing_extensions import Self

TokenSource = Callable[[], str]

_log = logging.getLogger("gcp_aws_bridge")


@dataclass(frozen=True)
class DefaultSource(EnvironmentBound):
    """Whatever this machine has: the environment decides which sources are tried, in this order.

    1. `GOOGLE_APPLICATION_CREDENTIALS`, where it is set;
    2. the metadata server;
    3. the credentials file of `gcloud auth application-default login`, where there is one.

    A session or credentials go on using the places that the environment named when they were made.

    Raises:
        TokenUnavailable: None of them is here; the message says why of each.
        TokenError: One is here and broken, or was refused; later ones are not tried.
    """

    audience: str | None = None
    world: World = field(default=REAL, repr=False, compare=False)
    # None: as the environment is at each call.
    _environment: GoogleEnvironment | None = field(default=None, init=False, repr=False)
    _deadline_s: float | None = field(default=None, init=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return as_settings(self)

    @without_inner_frames
    def __call__(self) -> str:
        said_no, of_file = [], ""
        where_to_look = (
            "run on Google Cloud with a service account, or pass token_source=: "
            'GoogleCredentials(impersonate="sa@project.iam.gserviceaccount.com") on a laptop.'
        )
        for name, source in self._candidates():
            try:
                token = source()
            except TokenUnavailable as error:  # noqa: PERF203 - three turns at most
                said_no.append(f"{name}: {error.args[0]} {error.details}".strip())
                # A file that is here, and of a type that gives no ID token, was meant.
                of_file = of_file or error.fix * (error.error_id == "token/google-kind")
                if isinstance(source, MetadataServer) and looks_like_google(source._host):
                    where_to_look = error.fix
                _log.debug("no ID token from %s: %s", name, error.args[0])
            else:
                _log.debug("ID token from %s", name)
                return token
        raise TokenUnavailable(
            "No Google identity on this machine.",
            fix=of_file or where_to_look,
            error_id="token/none",
            details=f"Tried {' Tried '.join(said_no)}",
        )

    def _bound(self) -> Self:
        """Return a copy that keeps to the places where the environment of now has an identity."""
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
        from gcp_aws_bridge._tokens.google_auth import GoogleCredentials  # a pod does without

        source = GoogleCredentials(audience=self.audience)
        return source._bound(self._environment) if self._environment else source


def for_audience(source: TokenSource | None, audience: str, world: World = REAL) -> TokenSource:
    """*source*, asking for *audience*; the default source where None is given.

    A source with an `audience` field of a dataclass, as all of ours are, is given the role's; any
    other is taken as it is. What it returns is checked at the exchange either way.

    Raises:
        ConfigError: The source is not callable, or names another audience itself.
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
    if "audience" not in {one.name for one in fields(source)}:
        return source
    own = source.audience
    if own not in (None, audience):
        raise ConfigError(
            f'The token source asks for the audience "{own}", the role for "{audience}".',
            fix="say the audience once, with the role (or session), and leave the source's out.",
            error_id="config/audience",
        )
    # It goes by its cache's clocks, unless it was given others.
    of_the_cell = {"world": world} if getattr(source, "world", None) is REAL else {}
    asking: TokenSource = replace(source, audience=audience, **of_the_cell)
    return asking
