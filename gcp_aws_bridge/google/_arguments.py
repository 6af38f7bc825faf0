"""Check the arguments of `gcp_aws_bridge.google` before anything is sent.

A value of the wrong type would be refused by Google, or fail while the request is written, far from
the line that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted

# RFC 6749, section 3.3: `scope-token`.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_EXAMPLE = "https://www.googleapis.com/auth/devstorage.read_only"


def scopes_of(given: Any) -> tuple[str, ...]:
    """Return *given* as a tuple of scopes; a string is split at its spaces.

    Whether Google knows a scope is for Google to say.

    Raises:
        ConfigError: It is no string and no sequence of strings, or one of them is no scope.
    """
    if isinstance(given, str):
        given = given.split()
    if isinstance(given, (bytes, bytearray, Mapping)) or not isinstance(given, Iterable):
        raise _wrong("scopes", given, f"give a list of scopes: [{_EXAMPLE!r}].", _SCOPE_ID)
    found = tuple(given)
    for each in found:
        if not isinstance(each, str) or _SCOPE.fullmatch(each) is None:
            raise _wrong("scopes", each, f"each scope is a URL such as {_EXAMPLE}.", _SCOPE_ID)
    return found


_SCOPE_ID = "config/google-scopes"


def no_scopes() -> ConfigError:
    """Return the error for a token that is asked for without any scope."""
    return ConfigError(
        "These Google credentials have no scopes, and Google returns no access token without.",
        fix="leave scopes= out (cloud-platform), give scopes=[…], or pass the credentials to a "
        "client, which adds its own by with_scopes().",
        error_id=_SCOPE_ID,
    )


def text_of(name: str, given: Any, example: str, longest: int = 4096) -> str:
    """Return *given*, the argument *name*, if it can be sent as one value.

    Raises:
        ConfigError: It is no string, empty, too long, begins or ends with a blank, or has control
            characters.
    """
    fits = isinstance(given, str) and 0 < len(given) <= longest
    if not fits or not given.isprintable() or given.strip() != given:
        raise _wrong(name, given, f"give one such as {example}.")
    return str(given)


def quota_project(given: Any) -> str | None:
    """Return the project whose quota is used; None for none.

    Raises:
        ConfigError: It is no project's id.
    """
    if given is None or given == "":
        return None
    return text_of("quota_project_id", given, "my-project")


def require_callable(name: str, given: Any, example: str) -> None:
    """Check that *given*, the argument *name*, can be called.

    Raises:
        ConfigError: It cannot.
    """
    if given is not None and (not callable(given) or isinstance(given, type)):
        raise _wrong(name, given, f"give {example}, or leave it out.")


def message_of(given: Any) -> bytes:
    """Return what is to be signed, as bytes; google-auth's own signers take a string, too.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(given, str):
        return given.encode()
    if not isinstance(given, (bytes, bytearray, memoryview)):
        raise _wrong("message", None, "give bytes.", said=f"of type {type(given).__name__}")
    return bytes(given)


def _wrong(
    name: str, given: Any, fix: str, error_id: str = "config/google-setting", said: str = ""
) -> ConfigError:
    said = said or f"{quoted(given)} ({type(given).__name__})"
    return ConfigError(f"The argument {name} cannot be {said}.", fix=fix, error_id=error_id)
