"""Token sources that keep their identity after a session or credentials were created.

The sources of this package are bound to absolute file paths and to a metadata server. A user's
source may read the environment in each call: if the environment has changed and the token has
another identity, that is an error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.default import DefaultSource, TokenSource, for_audience
from gcp_aws_bridge._tokens.environment import (
    EnvironmentBound,
    all_variables,
    bound,
    changed,
    google_variables,
)
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import TokenError

if TYPE_CHECKING:
    from gcp_aws_bridge._tokens.environment import Variables


class BoundSource(NamedTuple):
    """A bound source, and the values that identify it.

    Args:
        call: The token source for the exchange.
        source: Equal for equal sources; may not be hashable.
        variables: Environment variables that the source or its library reads in each call.
    """

    call: TokenSource
    source: object
    variables: Variables


@without_inner_frames  # the environment may hold keys
def bound_source(
    source: TokenSource | None, audience: str, world: World, deadline_s: float | None = None
) -> BoundSource:
    """Bind *source*, or the default source, to the current environment.

    Args:
        source: The token source. None: the default source.
        audience: Audience of the role.
        world: Clocks and other dependencies.
        deadline_s: Configured deadline for the metadata server, or None.

    Raises:
        ConfigError: See `for_audience`.
    """
    found: Any = for_audience(source, audience, world)
    if isinstance(found, EnvironmentBound):
        found = found._bound()
        if isinstance(found, (DefaultSource, MetadataServer)):
            found = bound(found, _deadline_s=deadline_s)
        if type(found).__module__.startswith("gcp_aws_bridge."):  # not a subclass by the user
            uses = found._uses_google_auth()
            return BoundSource(found, found, google_variables(os.environ) if uses else ())
    variables = all_variables(os.environ)
    return BoundSource(_OfOneIdentity(found, variables), found, variables)


class _OfOneIdentity:
    """A user's source whose identity must not change with the environment."""

    def __init__(self, source: TokenSource, variables: Variables) -> None:
        self.__name__ = getattr(source, "__name__", None) or type(source).__name__  # for messages
        self._source = source
        self._variables = variables
        self._identity: tuple[str, str] | None = None

    def __call__(self) -> str:
        before = all_variables(os.environ)
        raw = self._source()
        now = all_variables(os.environ)
        try:
            token = id_token.parse(raw, origin=self.__name__)
        except TokenError:
            return raw  # the exchange raises an error for it
        identity = token.issuer, token.subject
        names = changed(self._variables, before) or changed(self._variables, now)
        if names and self._identity not in (None, identity):
            raise TokenError(
                f"The token source {self.__name__} gave a token of another identity than before, "
                f"and the environment has changed since the session was made: {names}.",
                fix="make the session again, or give token_source= a source that does not depend "
                "on the environment.",
                error_id="token/environment-changed",
            )
        self._identity = identity
        return raw
