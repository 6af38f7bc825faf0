"""The authorization token of the endpoint: who can read its file may have the credentials."""

from __future__ import annotations

import hmac
import secrets

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge.exceptions import ConfigError, quoted

_BYTES = 32  # as many as the key of a strong cipher; nobody guesses these


class Authorization:
    """A random token, replaced from time to time; the one before it goes on being taken.

    SDKs read the file at each request (AWS SDKs and Tools reference,
    `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`), so that one period of grace is plenty.

    Args:
        path: Written at once and at each rotation, mode 0600. None: kept in memory.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self._taken: tuple[bytes, ...] = ()
        self.rotate()

    @property
    def token(self) -> str:
        """The current one."""
        return self._taken[0].decode()

    def rotate(self) -> None:
        """Write another token; the one before the last is not taken any more."""
        token = secrets.token_urlsafe(_BYTES)
        # Taken before it is written: whoever reads it at once is let in.
        before, self._taken = self._taken, (token.encode(), *self._taken[:1])
        if self.path is None:
            return
        try:
            private_file.replace(self.path, token)
        except OSError as error:
            self._taken = before
            raise ConfigError(
                f"The authorization token cannot be written to {quoted(self.path)}: "
                f"{error.strerror}.",
                fix=f"give --token-file {private_file.WANTED}; without that option, set TMPDIR.",
                error_id="config/token-file",
            ) from None

    def admits(self, header: bytes | None) -> bool:
        """Whether this `Authorization` header is the token; takes as long for any that is not."""
        if header is None:
            return False
        return any([hmac.compare_digest(token, header.strip()) for token in self._taken])
