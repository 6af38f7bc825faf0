"""What `serve` and `exec` share: the roles behind the endpoint, and what it needs."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.server.endpoint import Served


def need_extra() -> None:
    """Say what to install where the server cannot run.

    Raises:
        ConfigError: Something is missing.
    """
    needed = ("uvicorn", "h11", "prometheus_client")
    missing = [name for name in needed if not importlib.util.find_spec(name)]
    if missing:
        raise ConfigError(
            f"The endpoint needs {' and '.join(missing)}, not installed here.",
            fix="pip install 'gcp-aws-bridge[server]'",
            error_id="config/extra-server",
        )


def roles_of(options: argparse.Namespace, wanted: Sequence[str | None]) -> dict[str, Served]:
    """What is served, by name: the one before `=`, else the role's own.

    Raises:
        ConfigError: A role cannot be, or two have one name.
    """
    from gcp_aws_bridge.server.endpoint import Served

    served: dict[str, Served] = {}
    for asked in wanted:
        name, arn = _named(asked)
        cell, role = _role_options.cell_of(options, arn)
        name = name or role.arn.rpartition("/")[2]
        if name in served:
            raise ConfigError(
                f"Two roles would be served as {quoted(name)}.",
                fix="name them: --role-arn first=arn:… --role-arn second=arn:…",
                error_id="config/served-twice",
            )
        served[name] = Served(role, cell)
    return served


def _named(asked: str | None) -> tuple[str, str | None]:
    """`NAME=ARN`, or the ARN alone: the name of a role may have `=` in it, too."""
    if asked is None or asked.startswith("arn:"):
        return "", asked
    name, equals, arn = asked.partition("=")
    return (name, arn) if equals else ("", asked)
