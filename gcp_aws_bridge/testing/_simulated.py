"""The world of the library while there is a pod: its time, and what it does behind callers.

One for the process: a session that a program keeps from one test to the next stays in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any

import botocore.utils

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._sts.botocore_internals import replace_clock

# Past the end of all credentials: STS gives twelve hours at most (DurationSeconds, AWS STS API
# reference, AssumeRoleWithWebIdentity), and Google's tokens live for one.
LONGEST_LIFE_S = 43_200.0


class Time:
    """The machine's clocks, moved ahead. Thread-safe.

    Invariant: the monotonic clock never goes back, though the wall clock does in `start_anew`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped: tuple[datetime, float] | None = None
        self._ahead = timedelta()
        self._monotonic_ahead_s = 0.0

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return self._read()[0] + self._ahead

    def monotonic(self) -> float:
        """Seconds since some instant."""
        return self._read()[1] + self._monotonic_ahead_s

    def _read(self) -> tuple[datetime, float]:
        return self._stopped or (REAL.clock(), REAL.monotonic())

    def move(self, seconds: float) -> None:
        """Go ahead by *seconds*, zero or more."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
            self._monotonic_ahead_s += seconds

    def freeze(self) -> None:
        """Stand still, from the next whole second on, but for `move`."""
        self._stopped = self._read()
        self.move(-self.now().microsecond % 1_000_000 / 1_000_000)

    def start_anew(self) -> None:
        """Go by the machine's wall clock again; by the monotonic one, all that was kept is over.

        So a session that a program keeps asks for credentials anew, as one just made would.
        """
        with self._lock:
            self._stopped, self._ahead = None, timedelta()
            self._monotonic_ahead_s += 2 * LONGEST_LIFE_S


class Background:
    """Work beside the callers, which can be waited for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[Future[None]] = set()

    def spawn(self, work: Callable[[], None]) -> None:
        """As `World.spawn`."""
        over: Future[None] = Future()

        def run() -> None:
            try:
                work()
            finally:
                self._end(over)

        with self._lock:
            self._under_way.add(over)
        try:
            REAL.spawn(run)
        except BaseException:
            self._end(over)
            raise

    def _end(self, over: Future[None]) -> None:
        with self._lock:
            self._under_way.discard(over)
        over.set_result(None)

    def settle(self, within_s: float) -> None:
        """Wait until nothing is under way, in real seconds.

        Raises:
            TimeoutError: Something still is.
        """
        while True:
            with self._lock:
                under_way = set(self._under_way)
            if not under_way:
                return
            if wait(under_way, within_s).not_done:
                raise TimeoutError(
                    f"An exchange did not end within {within_s:g} s: look at what its token "
                    "source waits for, and at faults that hang."
                )


TIME, BACKGROUND = Time(), Background()
WORLD = World(
    clock=TIME.now,
    monotonic=TIME.monotonic,
    sleep=TIME.move,  # the pauses between attempts take no real time
    jitter=lambda: 0.5,  # so that a test can say when a refresh is due: at half of the life
    spawn=BACKGROUND.spawn,
)


# In which pod a key was first seen, by its id.
_pods: dict[str, object] = {}


SetAttribute = Callable[[Any, str, object], None]
"""As `setattr`; somebody puts them all back."""


@contextmanager
def attributes() -> Iterator[SetAttribute]:
    """Have attributes as they were, at the end of the block."""
    with ExitStack() as before:

        def put(owner: Any, name: str, value: object) -> None:
            before.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)

        yield put


def botocore_too(put: SetAttribute) -> None:
    """Have botocore hold AWS keys against this time, and ask for them anew without pauses.

    It goes by the machine's clock, which does not move: keys would be over for AWS and still be
    good for botocore, as they never are in a pod. Those of an earlier pod are over, too, as all is
    that was kept: AWS no longer knows them.

    Args:
        put: What it sets is put back by the caller.
    """
    this_pod = object()

    def is_of_an_earlier_pod(access_key: str) -> bool:
        return _pods.setdefault(access_key, this_pod) is not this_pod

    replace_clock(put, TIME.now, is_of_an_earlier_pod)
    put(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)
