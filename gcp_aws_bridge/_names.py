"""Names that tell apart what is different: for `repr`, by which fsspec identifies credentials."""

from __future__ import annotations

import sys
from typing import Any


def name_of(thing: Any) -> str:
    """Return a name that another object has only if it is equal. Shows no secret.

    Values of this package have a complete `repr`. Of other objects the `repr` may show a secret,
    so that a function is named by where it is defined, and anything else by its address, which is
    unique while the object is alive.
    """
    kind = type(thing)
    if thing is None or kind.__module__.startswith(f"{__package__}."):
        return repr(thing)
    owner = getattr(thing, "__self__", None)
    if owner is not None and hasattr(thing, "__func__"):  # each access makes another bound method
        return f"<{thing.__func__.__qualname__} of {name_of(owner)}>"
    module, path = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(module, str) and isinstance(path, str) and _defined(module, path) is thing:
        return f"{module}.{path}"
    return f"<{kind.__module__}.{kind.__qualname__} at {id(thing):#x}>"


def _defined(module: str, path: str) -> Any:
    """Return what is found at *path* in a loaded module, or None."""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found
