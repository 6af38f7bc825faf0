"""Threads for refreshes in the background: few of them, for any number of credential caches.

The refresh whose credentials expire first goes first, and before all others one that a caller waits
for. A thread ends when there is nothing left to do.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import threading
from collections.abc import Callable

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.fork import PerProcess
from gcp_aws_bridge._cache.tracing import untraced

Work = Callable[[], None]
# STS answers in tenths of a second: 16 threads refresh the credentials of 70,000 tenants in half
# an hour, which is what an hour's credentials have left when the refresh is due.
MOST = 16
# A thread whose exchange takes longer than this makes room for another, up to a limit: tenants
# whose token source hangs must not hold up the others.
_STALLED_S = 3.0
_MOST_STALLED = 48
_NO_WORK_YET = float("inf")


class Workers:
    """Runs work in a bounded number of threads.

    Args:
        world: Starts threads, and has the clock that tells which ones have stalled.
    """

    def __init__(self, world: World, most: int = MOST) -> None:
        self._world = world
        self._most = most
        self._state = PerProcess(_State)

    def submit(self, work: Work, *, waited_for: bool, expires_s: float) -> None:
        """Run *work* in a thread, soon; in an empty context, as a refresh is made for many callers.

        Args:
            work: Safe to call twice.
            expires_s: When what it replaces expires, by the monotonic clock.

        Raises:
            RuntimeError: No thread can be started, and none is running.
        """
        state = self._state.get()
        entry = (not waited_for, expires_s, next(state.numbers), work)
        heapq.heappush(state.queue, entry)  # atomic: compares numbers only
        self.start(state)
        if state.error is not None and not state.busy and entry in state.queue:
            state.queue.remove(entry)
            heapq.heapify(state.queue)
            raise state.error

    def start(self, state: _State | None = None) -> None:
        """Start threads for work that is queued, as far as there is room."""
        state = state or self._state.get()
        while state.queue and self._has_room(state):
            if not state.starting.acquire(blocking=False):
                return  # another thread does it, or this one, below
            worker = object()
            try:
                state.error = None
                state.busy[worker] = _NO_WORK_YET
                self._world.spawn(functools.partial(self._run, state, worker))
            except RuntimeError as error:
                state.busy.pop(worker, None)
                state.error = error
                return
            except BaseException:
                state.busy.pop(worker, None)
                raise
            finally:
                state.starting.release()

    def _has_room(self, state: _State) -> bool:
        started = tuple(state.busy.values())
        late = self._world.monotonic() - _STALLED_S
        stalled = min(_MOST_STALLED, sum(at < late for at in started))
        enough = started.count(_NO_WORK_YET) >= len(state.queue)
        return not enough and len(started) - stalled < self._most

    def _run(self, state: _State, worker: object) -> None:
        try:
            # A greenlet that was about to run when its process was forked runs in the child, too.
            while state is self._state.get():
                try:
                    *_, work = heapq.heappop(state.queue)
                except IndexError:
                    break
                state.busy[worker] = self._world.monotonic()
                untraced(work)
        finally:
            state.busy.pop(worker, None)
            if state.queue:  # added just before this thread was out of the count
                self.start(state)


class _State:
    """What a forked child starts without."""

    def __init__(self) -> None:
        self.queue: list[tuple[bool, float, int, Work]] = []
        self.numbers = itertools.count()
        self.busy: dict[object, float] = {}  # each thread, and when its work began
        self.starting = threading.Lock()  # never waited for
        self.error: RuntimeError | None = None


SHARED = Workers(REAL)


def workers_for(world: World) -> Workers:
    """Return the threads of this process; for a *world* with threads of its own, others."""
    return SHARED if world.spawn is REAL.spawn else Workers(world)
