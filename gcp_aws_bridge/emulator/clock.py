"""The clock that both emulated clouds read: the real one, or one that a test moves by hand.

Every instant is an aware UTC `datetime`. Nothing else in the emulator asks the time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

__all__ = ["Clock", "ManualClock", "iso", "real_clock"]

Clock = Callable[[], datetime]
"""A function without arguments that returns the present instant, aware and in UTC."""


def real_clock() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(timezone.utc)  # noqa: TID251, RUF100 - the emulator's one look at the time


def iso(instant: datetime) -> str:
    """Write an instant as both clouds do, in whole seconds (RFC 3339, section 5.6)."""
    return f"{instant.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


class ManualClock:
    """A clock that stands still until it is advanced. Safe to share between threads.

    It refuses to go back: a cloud's clock never does, and a test that needs a pod whose clock
    is behind should move the pod's clock instead.

    Args:
        start: First instant, aware; the present one, in whole seconds, when left out.

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
        """Move the clock ahead and return the new instant.

        Args:
            seconds: How far; a number of seconds or a `timedelta`, zero or more.

        Raises:
            ValueError: The step is negative.
        """
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if step < timedelta(0):
            raise ValueError(f"ManualClock cannot go back ({step.total_seconds()} s).")
        with self._lock:
            self._now += step
            return self._now
