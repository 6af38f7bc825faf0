"""Objects that are reset in a forked child, by Python's fork hooks.

A separate module with few imports: a registered function keeps the globals of its module alive
until the interpreter's final garbage collection, which visits them.
"""

from __future__ import annotations

import os
import weakref

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Protocol

    class ForkAware(Protocol):
        """An object with locks, threads or sockets."""

        def after_fork_in_child(self) -> None: ...


_fork_aware: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def reset_after_fork(thing: ForkAware) -> None:
    """Call `thing.after_fork_in_child()` in each forked child, as long as *thing* exists."""
    _fork_aware.add(thing)


def _in_child() -> None:
    for thing in list(_fork_aware):
        thing.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
