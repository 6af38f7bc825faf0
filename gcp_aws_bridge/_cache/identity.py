"""Names that tell apart what is different: for `repr`, by which fsspec identifies credentials."""

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
    """Return a name that another object has only if it is equal. Shows no secret.

    Values of this package have a complete `repr`. Of other objects the `repr` may show a secret,
    so that a function is named by where it is defined, and anything else by a number. No other
    object gets the same one, in this process or in another, after the first is gone either.
    """
    kind = type(thing)
    if thing is None or kind.__module__.startswith("gcp_aws_bridge."):
        return repr(thing)
    owner = getattr(thing, "__self__", None)
    if owner is not None and hasattr(thing, "__func__"):  # each access makes another bound method
        return f"<{thing.__func__.__qualname__} of {name_of(owner)}>"
    module, path = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(module, str) and isinstance(path, str) and _defined(module, path) is thing:
        return f"{module}.{path}"
    return f"<{kind.__module__}.{kind.__qualname__} {_process(os.getpid())}-{_number(thing)}>"


def _defined(module: str, path: str) -> Any:
    """Return what is found at *path* in a loaded module, or None."""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


@lru_cache(maxsize=1)
def _process(process: int) -> str:
    """Return a random name of this process: a forked child has another one."""
    return os.urandom(4).hex()


def _number(thing: Any) -> str:
    """Return a number of *thing*; equal objects have the same, as they share credentials."""
    try:
        return str(_numbers.setdefault(thing, next(_next)))
    except TypeError:  # it has no hash, or takes no weak references
        return f"{id(thing):#x}"
