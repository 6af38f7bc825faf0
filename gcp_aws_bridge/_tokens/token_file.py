"""Token source for a file that another program keeps fresh, such as a projected volume."""

from __future__ import annotations

import codecs
import os
import re
from typing import TYPE_CHECKING

from gcp_aws_bridge._tokens.environment import EnvironmentBound, absolute, bound
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._value import Value, value
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable, quoted

if TYPE_CHECKING:
    from typing_extensions import Self

_MAX_FILE = 64 * 1024  # bytes; an ID token has about one thousand


@value(frozen=True)
class TokenFile(Value, EnvironmentBound):
    """A token in a file that another program keeps fresh, such as a projected Kubernetes volume.

    The file is read in each call, since the kubelet replaces it. For clusters whose OIDC issuer AWS
    trusts: project a `serviceAccountToken` with the role's `audience`. A relative path is resolved
    when a session or credentials are created with it.

    Raises:
        ConfigError: `path` is not a path; raised by the constructor.
        TokenUnavailable: The file does not exist.
        TokenError: The file cannot be read.
    """

    path: str | os.PathLike[str]  # stored as a string: a Path and its string are equal sources

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", path_text("TokenFile", self.path))

    def _bound(self) -> Self:
        """Return a copy with an absolute path, which a later `os.chdir` does not change."""
        return bound(self, path=absolute(os.fspath(self.path)))

    @without_inner_frames
    def __call__(self) -> str:
        try:
            with open(self.path, "rb") as file:
                text = file.read(_MAX_FILE).removeprefix(codecs.BOM_UTF8)  # some editors add it
            return text.decode("ascii").strip()
        except FileNotFoundError:
            raise TokenUnavailable(
                f"The token file {quoted(self.path)} does not exist.",
                fix="mount a projected serviceAccountToken volume there, or correct the path.",
                error_id="token/file-missing",
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or (
                "it is not ASCII text"
                if isinstance(error, UnicodeDecodeError)
                else "its name has a null character in it"
            )
            raise TokenError(
                f"The token file {quoted(self.path)} cannot be read: {reason}.",
                fix="let this process's user read it (securityContext.fsGroup in a pod).",
                error_id="token/file-unreadable",
            ) from None


def path_text(what: str, path: object) -> str:
    """Return *path* as a string.

    Raises:
        ConfigError: *path* is not a string, bytes or a path object, or is the content of a file.
    """
    given = f"{quoted(path)} ({type(path).__name__})"
    if isinstance(path, (str, bytes, os.PathLike)):
        text = os.fsdecode(path)
        if not is_content(text):
            return text
        given = "the content of a file"
    raise ConfigError(
        f"{what} was given {given} for a path.",
        fix="give the path of a file, as text or pathlib.Path.",
        error_id="config/path",
    )


def is_content(path: str) -> bool:
    """Return whether *path* is JSON, in which a message could quote a key."""
    return re.search(r'\{\s*"', path) is not None
