"""Fakes of the clock and other dependencies: time stands still, sleeps are recorded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._sts.credentials import AwsCredentials

# A session policy that IAM accepts.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
START = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)


class ManualWorld:
    """A `World` whose time a test moves; `sleep` moves it too, and is recorded.

    Background work runs immediately by default; with `hold = True`, `release()` runs it.
    """

    def __init__(self, start: datetime = START, *, jitter: float = 0.0) -> None:
        self.now = start
        self.sleeps: list[float] = []
        self.held: list[Callable[[], None]] = []
        self.hold = False
        self.jitter = jitter
        self._monotonic = 0.0
        self._lock = threading.Lock()
        self.world = World(
            clock=lambda: self.now,
            monotonic=lambda: self._monotonic,
            sleep=self._sleep,
            jitter=lambda: self.jitter,
            spawn=self._spawn,
        )

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def set_wall_clock(self, now: datetime) -> None:
        """Set the wall clock only, as NTP does and a resumed laptop."""
        self.now = now

    def release(self) -> None:
        """Run the held background work in this thread."""
        work, self.held = self.held, []
        for each in work:
            each()

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)

    def _spawn(self, work: Callable[[], None]) -> None:
        if self.hold:
            self.held.append(work)
        else:
            work()


class Journey:
    """The real clock, moved ahead for both clouds and for the library."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    def travel(self, **ahead: float) -> None:
        self._ahead += timedelta(**ahead)


class Fetches:
    """A scripted exchange: its credentials are numbered, so that a mixed set is noticed."""

    def __init__(self, world: ManualWorld, *, life_s: float = 3600.0) -> None:
        self.world = world
        self.life_s = life_s
        self.count = 0
        self.failing: Exception | None = None

    def __call__(self) -> AwsCredentials:
        self.count += 1
        if self.failing is not None:
            raise self.failing
        return credentials(self.count, self.world.now + timedelta(seconds=self.life_s))


def credentials(number: int, expiration: datetime) -> AwsCredentials:
    return AwsCredentials(
        access_key_id=f"ASIA{number:016d}",
        secret_access_key=f"secret-{number}",
        session_token=f"token-{number}",
        expiration=expiration,
    )


def is_whole(value: AwsCredentials) -> bool:
    """Return whether all parts are from one exchange."""
    number = int(value.access_key_id.removeprefix("ASIA"))
    return (value.secret_access_key, value.session_token) == (f"secret-{number}", f"token-{number}")


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until another thread has made *condition* true."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("not within 5 s")


async def turns(condition: Callable[[], bool]) -> None:
    """Let other tasks run until *condition* is true."""
    while not condition():  # noqa: ASYNC110 - another thread makes it true
        await asyncio.sleep(0.001)
