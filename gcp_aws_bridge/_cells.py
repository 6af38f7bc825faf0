"""Sharing: equal requests have one `Cell` in a process.

Bounded: the registry keeps the 1,024 cells used last (a few kilobytes each). One that falls out
goes on working for whoever holds it; only sharing it with newcomers ends.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Hashable

from botocore.session import Session
from cachetools import LRUCache

from gcp_aws_bridge._cell import Cell
from gcp_aws_bridge._default_source import TokenSource, for_audience
from gcp_aws_bridge._exchange import exchange
from gcp_aws_bridge._fork import reset_after_fork
from gcp_aws_bridge._sts import Sts, sts_for
from gcp_aws_bridge._world import REAL
from gcp_aws_bridge.config import Role

MAX_CELLS = 1024


class _Registry:
    def __init__(self) -> None:
        self.world = REAL  # for cells yet to be made: a demonstration or a test moves its clock
        self._cells: LRUCache[Hashable, Cell] = LRUCache(maxsize=MAX_CELLS)
        self._alive: weakref.WeakSet[Cell] = weakref.WeakSet()  # those that fell out, too
        self._lock = threading.Lock()
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget every cell; who holds one keeps it."""
        with self._lock:
            self._cells.clear()

    def shared(self, source: TokenSource | None, role: Role, session: Session) -> Cell:
        bound = for_audience(source, role.audience, self.world)
        sts = sts_for(session, role)
        key = (_identity(bound), role, sts)
        with self._lock:
            cell = self._cells.get(key)
            if cell is None:
                cell = self._cells[key] = self._new_cell(bound, role, sts)
            return cell

    def reject(self, access_key_id: str) -> bool:
        """A service refused this key, whichever cell it came from: see `Cell.reject`."""
        with self._lock:
            cells = list(self._alive)
        return any([cell.reject(access_key_id) for cell in cells])

    def _new_cell(self, source: TokenSource, role: Role, sts: Sts) -> Cell:
        clock = self.world.clock
        cell = Cell(
            lambda: exchange(source, role, sts, clock=clock),
            label=role.arn,
            session_name=role.session_name,
            world=self.world,
        )
        self._alive.add(cell)
        return cell


def _identity(source: TokenSource) -> Hashable:
    """Equal settings are the same source; what has no hash is only itself."""
    try:
        hash(source)
    except TypeError:
        return id(source)  # its cell keeps it alive, so no other object can get this id
    return source


registry = _Registry()
shared_cell = registry.shared
# Behind each cell is a session with all that botocore has read of its services, megabytes. Let go
# of here, it is not looked through by the interpreter's last collections: 2 % of a short program.
atexit.register(registry.clear)
