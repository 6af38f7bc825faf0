"""Clock of both emulated clouds: the real clock, or a clock that a test sets.

All times are aware UTC `datetime` values. No other module of the emulator reads the time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

__all__ = ["Clock", "ManualClock", "iso", "real_clock"]

Clock = Callable[[], datetime]
"""A function without arguments that returns the current time, aware UTC."""


def real_clock() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(timezone.utc)  # noqa: TID251, RUF100 - the only place that reads the time


def iso(instant: datetime) -> str:
    """Format a time as both clouds do, in whole seconds (RFC 3339, section 5.6)."""
    return f"{instant.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


class ManualClock:
    """A clock that only `advance` moves. Safe to share between threads.

    It cannot go back, as the clocks of clouds do not. To test a pod whose clock is behind, change
    the pod's clock.

    Args:
        start: Initial time, aware; `None`: the current time, in whole seconds.

    Raises:
        ValueError: `start` has no time zone.
    """

    def __init__(self, start: datetime | None = None) -> None:
        start = real_clock().replace(microsecond=0) if start is None else start
        if start.tzinfo is None:
            raise ValueError(f"ManualClock needs an aware datetime, not {start!r}.")
        self._lock = threading.Lock()
        self._now = start.astimezone(timezone.utc)

    def __call__(self) -> datetime:
        with self._lock:
            return self._now

    def __repr__(self) -> str:
        return f"ManualClock({self().isoformat()})"

    def advance(self, seconds: float | timedelta) -> datetime:
        """Move the clock forward. Return the new time.

        Args:
            seconds: Seconds, or a `timedelta`; zero or more.

        Raises:
            ValueError: The step is negative.
        """
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if step < timedelta(0):
            raise ValueError(f"ManualClock cannot go back ({step.total_seconds()} s).")
        with self._lock:
            self._now += step
            return self._now
