"""What the library reads of the world: the clock, sleep, chance and threads.

One value carries all of them, so that a test passes its own and nothing is read inline. No other
module may read the clock (ruff TID251 bans it).
"""

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import NamedTuple

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, aware, UTC."""
    return datetime.now(timezone.utc)  # noqa: TID251 - the one place that reads it


def jitter() -> float:
    """A fraction in [0, 1). A function of this module, so that values which hold it pickle."""
    import random  # not loaded where nothing is waited for: a command that answers from its cache

    return random.random()  # noqa: S311 - spreads load, guards nothing


def spawn_daemon(work: Callable[[], None]) -> None:
    """Run *work* beside the caller; never keeps the interpreter from exiting.

    Raises:
        RuntimeError: There is no thread to be had: at interpreter shutdown, or under a limit.
    """
    import threading  # as above

    threading.Thread(target=work, name="gcp-aws-bridge-refresh", daemon=True).start()


class World(NamedTuple):
    """The clock (wall, aware UTC), a monotonic clock and sleep in seconds, chance, threads."""

    clock: Clock = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = jitter
    spawn: Callable[[Callable[[], None]], None] = spawn_daemon


REAL = World()


def backoff_s(failures: int, *, base_s: float, cap_s: float, jitter: float) -> float:
    """Seconds to wait after the n-th failure in a row: exponential, capped, "full jitter".

    Never under *base_s*, so that an unlucky draw is not a retry at once. See: AWS Architecture
    Blog, "Exponential Backoff And Jitter".
    """
    ceiling = min(cap_s, base_s * 2.0 ** min(failures, 32))
    return base_s + (ceiling - base_s) * jitter
