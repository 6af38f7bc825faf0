"""Simulated time of the library in a pod, and its work in the background.

All pods of a process share them, since a program may keep a session from one test to the next.
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

# Longest lifetime of credentials: twelve hours from STS (DurationSeconds, AWS STS API reference,
# AssumeRoleWithWebIdentity), one hour for tokens from Google.
LONGEST_LIFE_S = 43_200.0


class Time:
    """The machine's clocks with an offset. Thread-safe.

    Invariant: the monotonic clock never goes back; `restart` sets back only the wall clock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped: tuple[datetime, float] | None = None
        self._ahead = timedelta()
        self._monotonic_ahead_s = 0.0

    def now(self) -> datetime:
        """Return the wall clock's time, aware UTC."""
        return self._read()[0] + self._ahead

    def monotonic(self) -> float:
        """Return the monotonic clock's time in seconds."""
        return self._read()[1] + self._monotonic_ahead_s

    def _read(self) -> tuple[datetime, float]:
        return self._stopped or (REAL.clock(), REAL.monotonic())

    def move(self, seconds: float) -> None:
        """Move both clocks forward by *seconds*, zero or more."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
            self._monotonic_ahead_s += seconds

    def freeze(self) -> None:
        """Stop both clocks at the next whole second, except for `move`."""
        self._stopped = self._read()
        self.move(-self.now().microsecond % 1_000_000 / 1_000_000)

    def restart(self) -> None:
        """Return to the machine's wall clock, and move the monotonic clock past all expirations.

        A session that a program keeps then gets new credentials, like a new session.
        """
        with self._lock:
            self._stopped, self._ahead = None, timedelta()
            self._monotonic_ahead_s += 2 * LONGEST_LIFE_S


class Background:
    """Work in other threads, which `settle` waits for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Future[None]] = set()

    def spawn(self, work: Callable[[], None]) -> None:
        """Start *work* in a thread; see `World.spawn`."""
        done: Future[None] = Future()

        def run() -> None:
            try:
                work()
            finally:
                self._end(done)

        with self._lock:
            self._running.add(done)
        try:
            REAL.spawn(run)
        except BaseException:
            self._end(done)
            raise

    def _end(self, done: Future[None]) -> None:
        with self._lock:
            self._running.discard(done)
        done.set_result(None)

    def settle(self, within_s: float) -> None:
        """Wait until all work has ended, in real seconds.

        Raises:
            TimeoutError: Some work has not ended.
        """
        while True:
            with self._lock:
                running = set(self._running)
            if not running:
                return
            if wait(running, within_s).not_done:
                raise TimeoutError(
                    f"An exchange did not end within {within_s:g} s: check what its token source "
                    "waits for, and faults that hang."
                )


TIME, BACKGROUND = Time(), Background()
WORLD = World(
    clock=TIME.now,
    monotonic=TIME.monotonic,
    sleep=TIME.move,  # the pauses between attempts take no real time
    jitter=lambda: 0.5,  # so that a refresh is due at a known time: half of the lifetime
    spawn=BACKGROUND.spawn,
)


# The pod in which an access key was first used, by the key's id.
_pods: dict[str, object] = {}


SetAttribute = Callable[[Any, str, object], None]
"""Sets an attribute like `setattr`. Its provider restores the attribute."""


@contextmanager
def attributes() -> Iterator[SetAttribute]:
    """Restore attributes at the end of the `with` block."""
    with ExitStack() as before:

        def put(owner: Any, name: str, value: object) -> None:
            before.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)

        yield put


def move_botocore(put: SetAttribute) -> None:
    """Make botocore's AWS keys expire by the pod's time, and its retries without pauses.

    botocore reads the machine's clock, which does not move: keys would have expired for AWS but not
    for botocore, which never happens in a pod. Keys of an earlier pod count as expired too, since
    AWS does not know them any more.

    Args:
        put: Sets an attribute; the caller restores it.
    """
    this_pod = object()

    def is_of_an_earlier_pod(access_key: str) -> bool:
        return _pods.setdefault(access_key, this_pod) is not this_pod

    replace_clock(put, TIME.now, is_of_an_earlier_pod)
    put(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)
