"""Clocks, pauses, randomness and threads: the library's dependencies on the machine.

They are one value, which tests replace. No other module may read the clock (ruff TID251 bans it).
`time.sleep` and `threading` are looked up when they are called, since gevent and eventlet may
replace them after this module was imported.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import NamedTuple

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time by the wall clock, aware, UTC."""
    return datetime.now(timezone.utc)  # noqa: TID251 - the only place that reads the clock


def sleep(seconds: float) -> None:
    """Pause this thread."""
    time.sleep(seconds)


def jitter() -> float:
    """Return a random number in [0, 1). A function of this module, so that it can be pickled."""
    # Not `random`, whose import takes a hundredth of a short command's time.
    return (int.from_bytes(os.urandom(7), "big") >> 3) / (1 << 53)


def spawn_daemon(work: Callable[[], None]) -> None:
    """Run *work* in a thread that does not keep the interpreter from exiting.

    Raises:
        RuntimeError: No thread can be started: at interpreter shutdown, or under a limit.
    """
    import threading  # as above

    threading.Thread(target=work, name="gcp-aws-bridge-refresh", daemon=True).start()


class World(NamedTuple):
    """Wall clock (aware UTC), monotonic clock and pauses in seconds, randomness, and threads."""

    clock: Clock = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = sleep
    jitter: Callable[[], float] = jitter
    spawn: Callable[[Callable[[], None]], None] = spawn_daemon


REAL = World()


def backoff_s(failures: int, *, base_s: float, cap_s: float, jitter: float) -> float:
    """Return the pause in seconds after the n-th failure in a row: exponential, "full jitter".

    At least *base_s*, so that no retry is immediate. See: AWS Architecture Blog, "Exponential
    Backoff And Jitter".
    """
    ceiling = min(cap_s, base_s * 2.0 ** min(failures, 32))
    return base_s + (ceiling - base_s) * jitter
