"""One exchange under way: who flies it, how often it tried, and how it can go wrong."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from gcp_aws_bridge._credentials import Perishable
from gcp_aws_bridge._traceback import without_frames
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, ExchangeError

_log = logging.getLogger("gcp_aws_bridge")
_P = TypeVar("_P", bound=Perishable)


class Flight(Future[_P]):
    """One exchange under way, its attempts included, and all who wait for it."""

    def __init__(self, label: str, started_s: float) -> None:
        super().__init__()
        self.label = label
        self.started_s = started_s  # of the monotonic clock
        self.runner: int | None = None  # its thread
        self._claimed = threading.Lock()
        self.attempts: int = 0
        self.set_running_or_notify_cancel()  # nobody who waits can cancel it for the others

    def claim(self) -> bool:
        """Whether the caller is the one to bring it to its end: nobody was before."""
        return self._claimed.acquire(blocking=False)

    def fly(
        self,
        fetch: Callable[[], _P],
        most: int,
        waited_for: Callable[[], bool],
        pause: Callable[[int], None],
    ) -> _P:
        """Fetch; again, *most* times in all, while that may help and somebody must be waiting.

        Raises:
            BridgeError: Of the last attempt.
        """
        while True:
            self.attempts += 1
            try:
                return fetch()
            except BridgeError as error:
                if not (error.retryable and self.attempts < most and waited_for()):
                    raise
                _log.debug("%s: attempt %d failed: %s", self.label, self.attempts, error.error_id)
            pause(self.attempts)

    async def landing(self, timeout_s: float) -> None:
        """Have the task that runs this wait until it is over, or for *timeout_s* seconds."""
        import asyncio  # whoever has tasks has it

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await self._landing_elsewhere(timeout_s)
            return
        over = asyncio.Event()

        def wake(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed by now
                loop.call_soon_threadsafe(over.set)

        # Not asyncio.wrap_future: of a task that no longer waits, it would log the error as lost.
        self.add_done_callback(wake)
        # Nor asyncio.wait_for: before Python 3.12 it swallows a cancellation that comes as it ends.
        late = loop.call_later(timeout_s, over.set)
        try:
            await over.wait()
        finally:
            late.cancel()

    async def _landing_elsewhere(self, timeout_s: float) -> None:
        """As `landing`, under trio, where aiobotocore runs by anyio and httpx."""
        try:
            from anyio import CapacityLimiter
            from anyio.to_thread import run_sync

            # A limiter of its own: those who wait take no thread that the program counts on.
            alone = CapacityLimiter(1)
            await run_sync(wait, [self], timeout_s, abandon_on_cancel=True, limiter=alone)
        except (ImportError, RuntimeError) as error:
            raise no_loop(self.label, error) from None


class Abandoned(BridgeError):
    """Nobody flies it, since whoever was about to was interrupted; those who wait start another."""


def too_slow(label: str, waited_s: float) -> ExchangeError:
    """A caller gave up; the flight may still land."""
    return ExchangeError(
        f"{label}: no answer within {waited_s:.0f} s.",
        fix="look at what the token source waits for; the metadata server and STS have "
        "time-outs of their own.",
        error_id="exchange/timeout",
        code="Timeout",
        retryable=True,
    )


def needs_itself(label: str) -> ConfigError:
    """The thread of a flight would wait for itself."""
    return ConfigError(
        f"The token source for {label} uses these very credentials.",
        fix="give the session that the token source uses credentials of its own.",
        error_id="config/circular",
    )


def no_loop(label: str, error: Exception) -> ConfigError:
    """A coroutine was awaited by something that is no event loop of a known kind."""
    return ConfigError(
        f"{label}: no event loop of asyncio's or anyio's kind runs here ({error}).",
        fix="await it in a task of one; where there is none, gcp_aws_bridge.session and "
        ".credentials are for threads.",
        error_id="config/no-loop",
    )


def unexpected(label: str, error: BaseException) -> ExchangeError:
    """Return the error that waiters get when a refresh ends in a bug or an interrupt.

    Its cause is *error* without frames, which may hold secrets: the cache remembers the result.
    """
    made = ExchangeError(
        f"{label}: the exchange ended in {type(error).__name__}.",
        fix="see the cause above it in the traceback, and report it.",
        error_id="exchange/unexpected",
        code=type(error).__name__,
        retryable=True,
    )
    made.__cause__ = without_frames(error, kept=True)
    return made
