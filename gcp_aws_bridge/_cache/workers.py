"""A few threads that refresh any number of credential caches in the background.

Refreshes that a caller waits for run first, then those whose credentials expire first. A thread
ends when the queue is empty.
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
# STS answers in tenths of a second: 16 threads refresh the credentials of 70,000 tenants in half an
# hour, the remaining lifetime of one-hour credentials when their refresh is due.
MOST = 16
# A thread whose exchange takes longer than this does not count as busy, up to a limit: tenants
# whose token source hangs must not delay other tenants.
_STALLED_S = 3.0
_MOST_STALLED = 48
_NO_WORK_YET = float("inf")


class Workers:
    """Runs work in a bounded number of threads.

    Args:
        world: Starts threads; its monotonic clock detects stalled ones.
        most: Largest number of threads that have not stalled.
    """

    def __init__(self, world: World, most: int = MOST) -> None:
        self._world = world
        self._most = most
        self._state = PerProcess(_State)

    def submit(self, work: Work, *, waited_for: bool, expires_s: float) -> None:
        """Queue *work* for a thread, in an empty context, since a refresh is for many callers.

        Args:
            work: The work; calling it twice must be safe.
            waited_for: Whether a caller waits for it.
            expires_s: Expiration of the credentials that it replaces, by the monotonic clock.

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
        """Start threads for queued work, up to the limit."""
        state = state or self._state.get()
        while state.queue and self._has_room(state):
            if not state.starting.acquire(blocking=False):
                return  # another thread does it, or this thread, in an outer call
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
            # A greenlet that is ready to run when its process forks also runs in the child.
            while state is self._state.get():
                try:
                    *_, work = heapq.heappop(state.queue)
                except IndexError:
                    break
                state.busy[worker] = self._world.monotonic()
                untraced(work)
        finally:
            state.busy.pop(worker, None)
            if state.queue:  # added while this thread still counted as busy
                self.start(state)


class _State:
    """State that a forked child does not inherit."""

    def __init__(self) -> None:
        self.queue: list[tuple[bool, float, int, Work]] = []
        self.numbers = itertools.count()
        self.busy: dict[object, float] = {}  # start of the current work, by thread
        self.starting = threading.Lock()  # only acquired without blocking
        self.error: RuntimeError | None = None


SHARED = Workers(REAL)


def workers_for(world: World) -> Workers:
    """Return the shared threads of this process, or others for a *world* with its own threads."""
    return SHARED if world.spawn is REAL.spawn else Workers(world)
