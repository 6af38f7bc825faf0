"""One clock for the signing process and the clouds, which the program moves."""

from __future__ import annotations

import os
import threading
import time
import types
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from contenders import Signer, make_credentials
from control import Control


def connect() -> Control:
    """Return the commands for the process of the clouds."""
    return Control(os.environ["BENCH_CONTROL_PORT"])


class RunningClock:
    """The real clock, moved ahead together with that of the clouds."""

    def __init__(self, clouds: Control) -> None:
        self._clouds = clouds
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    def jump(self, ahead: timedelta) -> None:
        self._clouds("clock_ahead", seconds=ahead.total_seconds())
        self._ahead = ahead


class SteppedClock:
    """A clock that moves only by `advance` and by sleeps, which take no real time."""

    def __init__(self, clouds: Control) -> None:
        self._clouds = clouds
        self._start = datetime.now(timezone.utc).replace(microsecond=0)
        self._elapsed_s = 0.0
        self._lock = threading.Lock()
        self._background: list[threading.Thread] = []
        clouds("clock_at", timestamp=self._start.timestamp())

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        with self._lock:
            # First the clouds: the date of a token must not be in their future.
            self._clouds("clock_at", timestamp=self._start.timestamp() + self._elapsed_s + seconds)
            self._elapsed_s += seconds

    def spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._background.append(thread)
        thread.start()

    def settle(self) -> None:
        """Wait for background work, for which a second of real time is enough."""
        while self._background:
            self._background.pop().join()


class Signing(NamedTuple):
    """One signature, or a failure (no *key*). The wait is simulated and real time together."""

    at_s: float
    wait_s: float
    key: str | None


def sign(signer: Signer, clock: SteppedClock) -> Signing:
    """Sign one request."""
    at_s, started = clock.monotonic(), time.perf_counter()
    try:
        key = signer.sign()
    except (BotoCoreError, ClientError):
        key = None
    wait_s = time.perf_counter() - started + clock.monotonic() - at_s
    return Signing(at_s, wait_s, key)


def refreshing_credentials(contender: str, clock: RunningClock | SteppedClock) -> Any:
    """Return the contender's credentials, fetched once, which use *clock* from now on."""
    if contender == "bridge":
        use(clock)
    elif isinstance(clock, SteppedClock):
        _let_botocore_sleep_by(clock)
    credentials = make_credentials(contender)
    if contender == "recipe":
        credentials._time_fetcher = clock.now  # not a parameter of `create_from_metadata`
    credentials.get_frozen_credentials()
    return credentials


def use(clock: RunningClock | SteppedClock) -> None:
    """Let credential caches of the library that are made from now on use *clock*."""
    from gcp_aws_bridge._cache.sharing import registry

    registry.world = _world(clock)


def _world(clock: RunningClock | SteppedClock) -> Any:
    from gcp_aws_bridge._cache.clock import World

    if isinstance(clock, RunningClock):
        return World(clock=clock.now, monotonic=clock.monotonic)
    # Always the worst draw: the first refresh as late as possible, after the outage began, and each
    # pause as long as possible.
    return World(clock.now, clock.monotonic, clock.advance, lambda: 0.999, clock.spawn)


def _let_botocore_sleep_by(clock: SteppedClock) -> None:
    """Let the pauses between botocore's retries take simulated time; they are hours together."""
    import botocore.endpoint

    stepped = types.SimpleNamespace(**vars(time))
    stepped.sleep = clock.advance
    botocore.endpoint.time = stepped
