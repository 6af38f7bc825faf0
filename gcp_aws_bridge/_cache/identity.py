"""Unique names of objects, for `repr`: fsspec identifies credentials by it."""

from __future__ import annotations

import itertools
import os
import sys
import weakref
from functools import lru_cache
from typing import Any

_numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_next = itertools.count(1)


def name_of(thing: Any) -> str:
    """Return a name that only equal objects share. Shows no secret.

    Values of this package have a complete `repr`. The `repr` of other objects may show a secret:
    functions are named by their module and name, other objects by a number. No other object gets
    the same number, in this or another process, even after the object is deleted.
    """
    kind = type(thing)
    if thing is None or kind.__module__.startswith("gcp_aws_bridge."):
        return repr(thing)
    owner = getattr(thing, "__self__", None)
    if owner is not None and hasattr(thing, "__func__"):  # each access creates a bound method
        return f"<{thing.__func__.__qualname__} of {name_of(owner)}>"
    module, path = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(module, str) and isinstance(path, str) and _defined(module, path) is thing:
        return f"{module}.{path}"
    return f"<{kind.__module__}.{kind.__qualname__} {_process(os.getpid())}-{_number(thing)}>"


def _defined(module: str, path: str) -> Any:
    """Return the object at *path* in a loaded module, or None."""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


@lru_cache(maxsize=1)
def _process(process: int) -> str:
    """Return a random name of this process. A forked child has another name."""
    return os.urandom(4).hex()


def _number(thing: Any) -> str:
    """Return the number of *thing*. Equal objects have the same number: they share credentials."""
    try:
        return str(_numbers.setdefault(thing, next(_next)))
    except TypeError:  # not hashable, or without support for weak references
        return f"{id(thing):#x}"
