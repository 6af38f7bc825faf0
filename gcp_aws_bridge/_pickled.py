"""Pickling of values as their settings: small, without secrets, checked when unpickled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.exceptions import ConfigError


def as_settings(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what `__reduce__` of a dataclass returns: the settings that are not the default.

    An older version, which knows fewer settings, can then unpickle values that use none of the
    newer ones.
    """
    settings = {
        one.name: found
        for one in fields(value)
        if one.init and one.compare and (found := getattr(value, one.name)) != one.default
    }
    return made_of, (type(value), __version__, settings)


def made_of(kind: type[Any], version: str, settings: dict[str, Any]) -> Any:
    """Create the value of class *kind* that *version* of this library pickled.

    Raises:
        ConfigError: It has settings that this version does not know, or that are invalid.
    """
    if unknown := settings.keys() - {one.name for one in fields(kind)}:
        raise ConfigError(
            f"A {kind.__name__} was pickled by gcp-aws-bridge {version} with "
            f"{', '.join(sorted(unknown))}, which {__version__} does not know.",
            fix="install the same version of gcp-aws-bridge for every process.",
            error_id="config/pickle",
        )
    return kind(**settings)


def not_pickled(what: str, instead: str) -> ConfigError:
    """Return the error for a value that is secret, or cannot be recreated in another process."""
    return ConfigError(f"{what} does not pickle.", fix=instead, error_id="config/pickle")
