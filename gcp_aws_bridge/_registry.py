"""Sharing: equal requests have one `Cell` in a process.

Bounded: the registry keeps the 1,024 cells used last (a few kilobytes each). One that falls out
goes on working for whoever holds it; only sharing it with newcomers ends.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any

from cachetools import LRUCache

from gcp_aws_bridge._cell import Cell
from gcp_aws_bridge._fork import reset_after_fork
from gcp_aws_bridge._world import REAL, World

MAX_CELLS = 1024


class Registry:
    """The cells of a process, by what they are for."""

    def __init__(self) -> None:
        self.world = REAL  # for cells yet to be made: a demonstration or a test moves its clock
        self._cells: LRUCache[Hashable, Cell[Any]] = LRUCache(maxsize=MAX_CELLS)
        self._alive: weakref.WeakSet[Cell[Any]] = weakref.WeakSet()  # those that fell out, too
        self._lock = threading.Lock()
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget every cell; who holds one keeps it."""
        with self._lock:
            self._cells.clear()

    def drop(self, key: Hashable) -> None:
        """Give another cell to who asks for *key* next; who holds this one keeps it."""
        with self._lock:
            self._cells.pop(key, None)

    def cell(self, key: Hashable, make: Callable[[World], Cell[Any]]) -> Cell[Any]:
        """The cell for *key*, which *make* makes where there is none.

        Args:
            key: All that decides which credentials these are, their kind included.
        """
        with self._lock:
            cell = self._cells.get(key)
            if cell is None:
                cell = self._cells[key] = make(self.world)
                self._alive.add(cell)
            return cell

    def reject(self, public_id: str) -> bool:
        """A service refused what has this id, whichever cell it came from: see `Cell.reject`."""
        with self._lock:
            cells = list(self._alive)
        return any([cell.reject(public_id) for cell in cells])


def identity_of(source: object) -> Hashable:
    """Equal settings are the same source; what has no hash is only itself."""
    try:
        hash(source)
    except TypeError:
        return id(source)  # its cell keeps it alive, so no other object can get this id
    return source


registry = Registry()
# Behind each cell is a session with all that botocore has read of its services, megabytes. Let go
# of here, it is not looked through by the interpreter's last collections: 2 % of a short program.
atexit.register(registry.clear)
