"""Errors about libraries that are not installed, too old or too new, with the command to run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, MissingExtra


@contextmanager
def extra(name: str, module: str, at_least: str) -> Iterator[None]:
    """Check the SDK of `gcp-aws-bridge[name]` before the imports in the `with` block.

    Args:
        name: Name of the extra.
        module: Module of the SDK.
        at_least: Oldest tested version of the SDK.

    Raises:
        MissingExtra: The SDK is not installed, or older.
    """
    fix = f"pip install 'gcp-aws-bridge[{name}]'"
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{module} cannot be imported: {error}.", fix=fix, error_id="config/extra"
        ) from error
    found = str(getattr(sys.modules[module], "__version__", at_least))
    if _numbers(found) < _numbers(at_least):
        raise MissingExtra(
            f"{module} is {found}; this needs {at_least} or later.",
            fix=f"{fix} --upgrade",
            error_id="config/extra",
        )
    yield


def need(what: str, modules: Sequence[str], error_id: str) -> None:
    """Check that *modules* are installed, without importing them.

    Args:
        what: Feature that needs them, for the message.
        modules: Names of the modules.
        error_id: `config/extra-NAME`, with the name of the extra that installs them.

    Raises:
        MissingExtra: A module is not installed.
    """
    from importlib.util import find_spec  # takes as long to import as this module

    missing = [name for name in modules if not find_spec(name)]
    if missing:
        raise MissingExtra(
            f"{what} needs {' and '.join(missing)}, not installed here.",
            fix=f"pip install 'gcp-aws-bridge[{error_id.partition('-')[2]}]'",
            error_id=error_id,
        )


def internal(library: str, owner: Any, name: str) -> Any:
    """Return the private attribute *name* of *owner*, which *library* may rename in any release.

    Raises:
        ConfigError: There is no such attribute.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        raise renamed(library, owner, name) from None


def renamed(library: str, owner: Any, name: str) -> ConfigError:
    """Return the error for an attribute *name* of *owner* that *library* has renamed."""
    from importlib.metadata import version

    where = getattr(owner, "__name__", type(owner).__name__)
    return ConfigError(
        f"{library} {version(library)} has no {where}.{name}, which this release of "
        "gcp-aws-bridge uses.",
        fix=f"upgrade gcp-aws-bridge, or install an older {library}.",
        error_id="config/internals",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
