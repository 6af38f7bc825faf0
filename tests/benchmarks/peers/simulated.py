"""One clock for the signing process and the clouds, moved by hand; both contenders go by it."""

from __future__ import annotations

import os
import threading
import time
import types
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from contenders import make_credentials
from control import Control


def connect() -> Control:
    """Commands for the clouds' process."""
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
    """Stands still but for `advance` and for sleeps, which take their time here and none really."""

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
            # The clouds first: to them a token must not come from the future.
            self._clouds("clock_at", timestamp=self._start.timestamp() + self._elapsed_s + seconds)
            self._elapsed_s += seconds

    def spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._background.append(thread)
        thread.start()

    def settle(self) -> None:
        """Wait for work in the background: a second of real time would have been enough for it."""
        while self._background:
            self._background.pop().join()


def renewing(contender: str, clock: RunningClock | SteppedClock) -> Any:
    """The contender's credentials, fetched once by now, going by *clock* from here on."""
    if contender == "bridge":
        use(clock)
    elif isinstance(clock, SteppedClock):
        _let_botocore_sleep_by(clock)
    credentials = make_credentials(contender)
    if contender == "recipe":
        credentials._time_fetcher = clock.now  # `create_from_metadata` does not take it
    credentials.get_frozen_credentials()
    return credentials


def use(clock: RunningClock | SteppedClock) -> None:
    """Have the library's credential caches go by *clock*, those made from here on."""
    from gcp_aws_bridge._cache.sharing import registry

    registry.world = _world(clock)


def _world(clock: RunningClock | SteppedClock) -> Any:
    from gcp_aws_bridge._cache.clock import World

    if isinstance(clock, RunningClock):
        return World(clock=clock.now, monotonic=clock.monotonic)
    # The unluckiest draw always: the first refresh as late as it can be, which is after the outage
    # began, and each pause as long as it can be.
    return World(clock.now, clock.monotonic, clock.advance, lambda: 0.999, clock.spawn)


def _let_botocore_sleep_by(clock: SteppedClock) -> None:
    """The pauses between its retries are counted in simulated time; really they would be hours."""
    import botocore.endpoint

    stepped = types.SimpleNamespace(**vars(time))
    stepped.sleep = clock.advance
    botocore.endpoint.time = stepped
