"""The simulated day: its events, and the errors that are the library's fault."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import CredentialRetrievalError

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge._cache.clock import REAL, World, utc_now
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator, Fault

ROLES = [f"arn:aws:iam::123456789012:role/soak-{number}" for number in range(4)]
THREADS = 8
TICK_S = 30.0  # of simulated time, in some hundredths of a real second
# Credentials are valid for at least 21 minutes after the first attempt to refresh them; shorter
# faults must have no effect on callers.
LONGEST_FAULT_S = 18 * 60.0
QUIET_S = 12 * 60.0  # between two faults: one back-off and one refresh

# Faults that end immediately: time must not jump during a hang. See tests/faults.
FAULTS = [
    Fault.reset(),
    Fault.status(429),
    Fault.status(500),
    Fault.status(503),
    Fault.empty(),
    Fault.html(),
    Fault.html(503),
    Fault.redirect("http://127.0.0.1:1/elsewhere"),
    Fault.truncated(),
    Fault.oversized(1 << 20),
    Fault.aws_error("AccessDenied", "no", 403),
    Fault.aws_error("Throttling", "slower", 400),
]


class Measured(NamedTuple):
    """The state of the process; -1 for what this platform does not report."""

    memory_kib: int
    threads: int
    descriptors: int


class Report(NamedTuple):
    """The result of the day; *errors* and *expired* were seen by callers, and should be zero.

    Attributes:
        first, last: The state at noon and at the end.
    """

    hours: float
    calls: int
    refreshes: int
    requests: int
    faults: int
    errors: list[str]
    expired: int
    first: Measured
    last: Measured

    @property
    def is_clean(self) -> bool:
        return not self.errors and not self.expired


class _Clock:
    """The real clock, plus the skipped time."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return utc_now() + timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds


class _Callers:
    """Eight threads that read the credentials of four roles until they are stopped."""

    def __init__(self, clock: _Clock) -> None:
        self.calls, self.expired = 0, 0
        self.errors: list[str] = []
        self.keys: set[str] = set()
        self._clock = clock
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]

    def __enter__(self) -> _Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        held: list[BridgeCredentials] = [bridge.credentials(role) for role in ROLES]
        while not self._stop.wait(0.002):
            self.calls += 1
            if chance.random() < 0.05:  # programs make new sessions repeatedly
                held[chance.randrange(4)] = bridge.credentials(chance.choice(ROLES))
            credentials = chance.choice(held)
            before = self._clock.now()
            try:
                value = credentials.get_frozen_credentials()
            except CredentialRetrievalError as error:
                self.errors.append(str(error))
                continue
            self.keys.add(value.access_key)
            end = credentials._expiry_time
            self.expired += end is not None and end <= before


def live(
    cloud: Emulator,
    *,
    hours: float,
    seed: int,
    progress: Callable[[float], None] = lambda done: None,
) -> Report:
    """Simulate a day; the environment must be that of the emulator's pod."""
    chance, clock = random.Random(seed), _Clock()
    for role in ROLES:
        cloud.add_role(role)
    end_s, faults, requests, next_s = hours * 3600.0, 0, 0, QUIET_S
    fault_ends_s: float | None = None
    first: Measured | None = None
    with _simulated_time(cloud, clock), _Callers(clock) as callers:
        while clock.ahead_s < end_s:
            time.sleep(0.01)
            if _is_refreshing():
                continue  # no jump of the time during a real request
            clock.advance(TICK_S)
            requests += len(cloud.sts.requests)
            cloud.sts.requests.clear()
            cloud.metadata.requests.clear()
            if fault_ends_s is None and clock.ahead_s >= next_s:
                service = chance.choice([cloud.sts, cloud.metadata])
                service.inject(chance.choice([f for f in FAULTS if service.has(f)]), times=None)
                fault_ends_s = clock.ahead_s + chance.uniform(TICK_S, LONGEST_FAULT_S)
                faults += 1
            elif fault_ends_s is not None and clock.ahead_s >= fault_ends_s:
                cloud.sts.clear_faults()
                cloud.metadata.clear_faults()
                fault_ends_s, next_s = None, clock.ahead_s + QUIET_S * (1 + chance.random())
            if first is None and clock.ahead_s >= end_s / 2:
                first = measure()  # by then the allocator has enough for the largest answers
            progress(clock.ahead_s / end_s)
        last = measure()
    assert first is not None
    return Report(
        hours,
        callers.calls,
        len(callers.keys),
        requests + len(cloud.sts.requests),
        faults,
        callers.errors,
        callers.expired,
        first,
        last,
    )


def _is_refreshing() -> bool:
    """Return whether an exchange is pending."""
    return any(cache.snapshot.attempt is not None for cache in registry._caches.values())


@contextlib.contextmanager
def _simulated_time(cloud: Emulator, clock: _Clock) -> Iterator[None]:
    """Let both clouds and the library use *clock*, which sleeps of the library move."""
    cloud.clock = clock.now
    registry.clear()
    registry.world = World(clock=clock.now, monotonic=clock.monotonic, sleep=clock.advance)
    try:
        yield
    finally:
        registry.clear()
        registry.world = REAL


def measure() -> Measured:
    """Return the state of this process, after garbage collection."""
    time.sleep(0.2)
    gc.collect()
    memory_kib = descriptors = -1
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        memory_kib = pages * os.sysconf("SC_PAGE_SIZE") // 1024
        descriptors = len(os.listdir("/proc/self/fd"))
    return Measured(memory_kib, threading.active_count(), descriptors)
