"""The authorization token of the endpoint: every user who can read it gets the credentials."""

from __future__ import annotations

import hmac
import secrets

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge.exceptions import ConfigError, quoted

_BYTES = 32  # 256 bits, which cannot be guessed


class Authorization:
    """A random token that is rotated; the previous token stays valid.

    SDKs read the file for each request (AWS SDKs and Tools reference,
    `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`), so one previous token is enough.

    Args:
        path: Path of the file, which is written immediately and by each rotation, with mode 0600.
            None: keep the token in memory.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self._valid: tuple[bytes, ...] = ()
        self.rotate()

    @property
    def token(self) -> str:
        """The current token."""
        return self._valid[0].decode()

    def rotate(self) -> None:
        """Write a new token; the token before the previous one becomes invalid."""
        token = secrets.token_urlsafe(_BYTES)
        # Accept the token before it is written, so that a client can use it immediately.
        before, self._valid = self._valid, (token.encode(), *self._valid[:1])
        if self.path is None:
            return
        try:
            private_file.replace(self.path, token)
        except OSError as error:
            self._valid = before
            raise ConfigError(
                f"The authorization token cannot be written to {quoted(self.path)}: "
                f"{error.strerror}.",
                fix=f"use --token-file {private_file.WANTED}; without that option, set TMPDIR.",
                error_id="config/token-file",
            ) from None

    def admits(self, header: bytes | None) -> bool:
        """Return whether a header `Authorization` is the token, in constant time."""
        if header is None:
            return False
        return any([hmac.compare_digest(token, header.strip()) for token in self._valid])
