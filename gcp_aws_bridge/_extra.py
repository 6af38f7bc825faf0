"""A library that is not installed, too old or too new: what to install instead."""

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
    """Around the imports from *module*, the SDK that `gcp-aws-bridge[name]` installs.

    Raises:
        MissingExtra: It is not there, or older than the first version that this was tested with.
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
    """Say what to install for *what*, without importing anything.

    Args:
        error_id: `config/extra-NAME`, of the extra that has *modules*.

    Raises:
        MissingExtra: One of them is not there.
    """
    from importlib.util import find_spec  # as long to load as all of this module

    missing = [name for name in modules if not find_spec(name)]
    if missing:
        raise MissingExtra(
            f"{what} needs {' and '.join(missing)}, not installed here.",
            fix=f"pip install 'gcp-aws-bridge[{error_id.partition('-')[2]}]'",
            error_id=error_id,
        )


def internal(library: str, owner: Any, name: str) -> Any:
    """Return the attribute *name* of *owner*, which *library* may rename in any release.

    Raises:
        ConfigError: It has no such attribute.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        raise renamed(library, owner, name) from None


def renamed(library: str, owner: Any, name: str) -> ConfigError:
    """Return the error that *library* does not use the attribute *name* of *owner* any more."""
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
