"""What a forked child must not inherit: held locks, threads that did not come along, sockets.

A module of its own: what is registered with the interpreter lives until its very end, and keeps
alive whatever its module refers to.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class ForkAware(Protocol):
        """Something with locks, threads or sockets."""

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
