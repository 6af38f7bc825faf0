"""Values that a forked child must not inherit: locks, sockets, threads of the parent.

The process id is compared on each use. `os.register_at_fork` is not enough: uWSGI, by default, and
C code that calls fork(2) do not run Python's hooks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


def is_uwsgi_master() -> bool:
    """Return whether this is uWSGI's master process, which forks its workers.

    If C code calls fork(2) while another thread waits for the interpreter's lock, the child waits
    for ever. So no thread is started in the master ahead of need.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and getattr(uwsgi, "worker_id", lambda: 1)() == 0


class PerProcess(Generic[T]):
    """A value that each process creates on first use."""

    __slots__ = ("_by_pid", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._by_pid: dict[int, T] = {}

    def get(self) -> T:
        """Return the value of this process. Simultaneous calls in threads get the same value."""
        pid = os.getpid()
        found = self._by_pid.get(pid)
        if found is None:
            found = self._by_pid.setdefault(pid, self._make())
            # The kernel may reuse the id of a parent that has ended for a child of this process.
            for other in tuple(self._by_pid):
                if other != pid:
                    self._by_pid.pop(other, None)
        return found


def process_lock() -> PerProcess[threading.RLock]:
    """Return a lock that is free in a forked child; use it as `with lock.get():`.

    Re-entrant, since a finalizer or a signal handler may need it in the thread that holds it. The
    `with` statement enters the lock itself: a method that acquired it would leave it locked after a
    `KeyboardInterrupt` between the method and the block.
    """
    return PerProcess(threading.RLock)


_called: PerProcess[dict[str, object]] = PerProcess(dict)


def once_per_process(name: str, call: Callable[[], None]) -> None:
    """Make the call with this *name*, such as a log message, unless this process has made it."""
    mine = object()
    if _called.get().setdefault(name, mine) is mine:
        call()
