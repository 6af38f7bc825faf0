"""Values that a forked child must not inherit: locks, sockets, threads of the parent.

The process id is compared whenever such a value is used. `os.register_at_fork` is not enough:
uWSGI, by default, and C code that calls fork(2) do not run Python's hooks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


def is_uwsgi_master() -> bool:
    """Return whether this is the process that uWSGI forks its workers from.

    CPython does not survive fork(2) of C while another thread waits for the interpreter's lock:
    the child would wait for ever. So no thread is started here ahead of need.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and getattr(uwsgi, "worker_id", lambda: 1)() == 0


class PerProcess(Generic[T]):
    """A value that each process makes for itself when it first asks for it."""

    __slots__ = ("_by_pid", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._by_pid: dict[int, T] = {}

    def get(self) -> T:
        """Return this process's value. Threads that ask at the same time get the same one."""
        pid = os.getpid()
        found = self._by_pid.get(pid)
        if found is None:
            found = self._by_pid.setdefault(pid, self._make())
            # The kernel may use the id of a parent that has ended for a child of this process.
            for other in tuple(self._by_pid):
                if other != pid:
                    self._by_pid.pop(other, None)
        return found


def process_lock() -> PerProcess[threading.RLock]:
    """Return a lock that a forked child finds free; use it as `with lock.get():`.

    Re-entrant, since a finalizer or a signal handler may need it in the thread that holds it.
    Entered directly: a `KeyboardInterrupt` between a method that takes the lock and the block that
    would release it would leave it taken, and every other thread would wait for ever.
    """
    return PerProcess(threading.RLock)
