"""Variables in the syntax of a shell, of an env file or of JSON."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping

__all__ = ["SHELLS", "default_shell"]


def default_shell() -> str:
    """Return the usual shell of this system."""
    return "powershell" if os.name == "nt" else "bash"


def _bash(variables: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _fish(variables: Mapping[str, str]) -> str:
    # In single quotes, fish has two escapes: for the quote and for the backslash.
    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return "\n".join(f"set -gx {name} {quoted(value)}" for name, value in variables.items())


def _powershell(variables: Mapping[str, str]) -> str:
    def quoted(value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    return "\n".join(f"$Env:{name} = {quoted(value)}" for name, value in variables.items())


def _dotenv(variables: Mapping[str, str]) -> str:
    # For `docker run --env-file`, to which quotes are part of the value. None are needed: keys,
    # tokens, ARNs and times consist of characters without a meaning for any reader.
    return "\n".join(f"{name}={value}" for name, value in variables.items())


def _json(variables: Mapping[str, str]) -> str:
    return json.dumps(variables, indent=2)


SHELLS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "bash": _bash,
    "dotenv": _dotenv,
    "fish": _fish,
    "json": _json,
    "powershell": _powershell,
}
