"""Checks of the arguments of `gcp_aws_bridge.google`, before anything is sent.

Google would reject a value of the wrong type, or the request would fail, far from the wrong line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted

# RFC 6749, section 3.3: `scope-token`.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_EXAMPLE = "https://www.googleapis.com/auth/devstorage.read_only"


def scopes_of(value: Any) -> tuple[str, ...]:
    """Return *value* as a tuple of scopes; a string is split at its spaces.

    Does not check whether Google knows the scopes.

    Raises:
        ConfigError: *value* is not a string or a sequence of strings, or a scope is malformed.
    """
    if isinstance(value, str):
        value = value.split()
    if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise _wrong("scopes", value, f"give a list of scopes: [{_EXAMPLE!r}].", _SCOPE_ID)
    scopes = tuple(value)
    for scope in scopes:
        if not isinstance(scope, str) or _SCOPE.fullmatch(scope) is None:
            raise _wrong("scopes", scope, f"each scope is a URL such as {_EXAMPLE}.", _SCOPE_ID)
    return scopes


_SCOPE_ID = "config/google-scopes"


def no_scopes() -> ConfigError:
    """Return the error for a request for a token without scopes."""
    return ConfigError(
        "These Google credentials have no scopes, and Google returns no access token without.",
        fix="leave scopes= out (cloud-platform), give scopes=[…], or pass the credentials to a "
        "client, which adds its own by with_scopes().",
        error_id=_SCOPE_ID,
    )


def text_of(name: str, value: Any, example: str, longest: int = 4096) -> str:
    """Return *value*, the argument *name*, if it is a valid string.

    Raises:
        ConfigError: *value* is not a string, is empty or too long, begins or ends with a space, or
            contains control characters.
    """
    fits = isinstance(value, str) and 0 < len(value) <= longest
    if not fits or not value.isprintable() or value.strip() != value:
        raise _wrong(name, value, f"give one such as {example}.")
    return str(value)


def quota_project(value: Any) -> str | None:
    """Return the quota project, or None.

    Raises:
        ConfigError: *value* is not a project id.
    """
    if value is None or value == "":
        return None
    return text_of("quota_project_id", value, "my-project")


def require_callable(name: str, value: Any, example: str) -> None:
    """Check that *value*, the argument *name*, is None or callable.

    Raises:
        ConfigError: *value* is not callable.
    """
    if value is not None and (not callable(value) or isinstance(value, type)):
        raise _wrong(name, value, f"give {example}, or leave it out.")


def message_of(value: Any) -> bytes:
    """Return a message to sign as bytes; like google-auth's signers, it accepts a string too.

    Raises:
        ConfigError: *value* is neither bytes nor a string.
    """
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise _wrong("message", None, "give bytes.", shown=f"of type {type(value).__name__}")
    return bytes(value)


def _wrong(
    name: str, value: Any, fix: str, error_id: str = "config/google-setting", shown: str = ""
) -> ConfigError:
    shown = shown or f"{quoted(value)} ({type(value).__name__})"
    return ConfigError(f"The argument {name} cannot be {shown}.", fix=fix, error_id=error_id)
