"""What is replaced at once in a forked child, where the fork runs Python's hooks.

A module of its own that imports little: what is registered with the interpreter keeps the globals
of its module alive to the end, and the last garbage collection looks through them.
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
    """Have `thing.after_fork_in_child()` called in every child that is forked while it lives."""
    _fork_aware.add(thing)


def _in_child() -> None:
    for thing in list(_fork_aware):
        thing.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
