"""Values that pickle as the settings they are made of: small, no secrets, checked when read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.exceptions import ConfigError


def as_settings(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What `__reduce__` of a dataclass returns: settings that are not the default ones.

    So a version that knows fewer settings reads what uses none of the others.
    """
    settings = {
        one.name: found
        for one in fields(value)
        if one.init and one.compare and (found := getattr(value, one.name)) != one.default
    }
    return made_of, (type(value), __version__, settings)


def made_of(kind: type[Any], version: str, settings: dict[str, Any]) -> Any:
    """Make the *kind* that a process with *version* of this library pickled.

    Raises:
        ConfigError: It has settings that this version does not know, or such as it refuses.
    """
    if unknown := settings.keys() - {one.name for one in fields(kind)}:
        raise ConfigError(
            f"A {kind.__name__} was pickled by gcp-aws-bridge {version} with "
            f"{', '.join(sorted(unknown))}, which {__version__} does not know.",
            fix="have the same version of gcp-aws-bridge in every process.",
            error_id="config/pickle",
        )
    return kind(**settings)


def not_pickled(what: str, instead: str) -> ConfigError:
    """It would be a secret, or could not be made again elsewhere."""
    return ConfigError(f"{what} does not pickle.", fix=instead, error_id="config/pickle")
