"""Subject tokens from an OIDC token: a projected file, or a callable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gcp_aws_bridge._cache.identity import name_of
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, TokenError
from gcp_aws_bridge.google._federation import JWT
from gcp_aws_bridge.google._subject_tokens import SubjectToken


@dataclass(frozen=True, repr=False)
class OidcToken:
    """Subject tokens from any `() -> str` that returns an OIDC token, such as `TokenFile`."""

    source: Callable[[], str]

    @without_inner_frames
    def __call__(self, audience: str) -> SubjectToken:
        try:
            token = id_token.parse(self.source(), origin=self._origin)
            return SubjectToken(token.raw, JWT)
        except BridgeError:
            raise
        except Exception as error:
            # Show only the type: the message of code that handles tokens may contain one.
            raise TokenError(
                f"{self._origin} raised {type(error).__name__}.",
                fix="see the cause above it in the traceback.",
                error_id="token/source-raised",
                retryable=isinstance(error, OSError),
            ) from error

    @property
    def _origin(self) -> str:
        return f"The token source {getattr(self.source, '__name__', type(self.source).__name__)}"

    def __repr__(self) -> str:
        return f"OidcToken({name_of(self.source)})"
