"""An attempt to get credentials: the thread that runs it, the callers that wait, and its result."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from gcp_aws_bridge._traceback import without_frames
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, ExchangeError

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.policy import Perishable

P = TypeVar("P", bound="Perishable")


class RefreshAttempt(Generic[P]):
    """One exchange, including its retries, and all callers that wait for it.

    Threads share no lock, see `atomic`: each waiter has its own latch, which the thread that ends
    the attempt opens.

    Attributes:
        label: Name of the credentials in errors.
        seen_s: Time until which the process is known to have been awake, by the monotonic clock.
        requests: Number of exchanges so far.
        failed: Error ids of the exchanges that were retried.
        credentials, error: The result; both None if the attempt was interrupted.
        done: Whether there is a result.
    """

    def __init__(self, label: str, created_s: float) -> None:
        self.label = label
        self._created_s = self.seen_s = created_s
        self._frozen_s = 0.0
        self.requests = 0
        self.failed: list[str] = []
        self.credentials: P | None = None
        self.error: BridgeError | None = None
        self.done = False
        self._claims: dict[None, tuple[int, float]] = {}
        self._waiters: list[Callable[[], object]] = []

    def excuse(self, now_s: float, wait_s: float, grace_s: float) -> bool:
        """Extend an attempt that timed out by *grace_s*, if the process may have been frozen.

        Returns whether it did: at most once, and only if no caller has seen the attempt for longer
        than *grace_s*. A frozen process (SIGSTOP, a paused container) must not report an outage for
        an exchange that ends as soon as it continues.
        """
        if self._frozen_s or now_s - self.seen_s <= grace_s:
            return False
        self._frozen_s = now_s - wait_s + grace_s - self.started_s
        return True

    @property
    def started_s(self) -> float:
        """Start of the exchange, or creation of the attempt, without the time it was frozen."""
        began_s = self._claims[None][1] if self._claims else self._created_s
        return began_s + self._frozen_s

    @property
    def is_queued(self) -> bool:
        """True if no thread has begun the exchange."""
        return not self._claims

    def claim(self, now_s: float) -> bool:
        """Return whether the calling thread is the first to claim the exchange, and so runs it."""
        claim = (threading.get_ident(), now_s)
        return self._claims.setdefault(None, claim) is claim  # atomic, see `atomic`

    @property
    def runner(self) -> int | None:
        """Identifier of the thread that runs the exchange; None before it starts."""
        return self._claims[None][0] if self._claims else None

    def fetch(
        self,
        fetch: Callable[[], P],
        most: int,
        waited_for: Callable[[], bool],
        pause: Callable[[int], None],
    ) -> P:
        """Call *fetch*, up to *most* times while an error is retryable and a caller waits.

        Raises:
            BridgeError: The error of the last call.
        """
        while True:
            self.requests += 1
            try:
                return fetch()
            except BridgeError as error:
                if not (error.retryable and self.requests < most and waited_for()):
                    raise
                self.failed.append(error.error_id)
            pause(self.requests)

    def end(self, credentials: P | None = None, error: BridgeError | None = None) -> None:
        """Set the result, unless it is set already, and wake all waiters."""
        if not self.done:
            self.credentials, self.error = credentials, error
            self.done = True
        self.wake()

    def wake(self) -> None:
        """Wake all waiters, which then decide again."""
        while self._waiters:
            with contextlib.suppress(IndexError):  # another thread wakes them too
                self._waiters.pop()()

    def _when_done(self, wake: Callable[[], object]) -> None:
        self._waiters.append(wake)
        if self.done:  # perhaps before the line above
            wake()

    def wait(self, timeout_s: float) -> None:
        """Block until the attempt has ended, *timeout_s* seconds at most."""
        latch = threading.Lock()
        latch.acquire()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the latch is open already
                latch.release()

        self._when_done(wake)
        latch.acquire(timeout=max(0.0, timeout_s))

    async def wait_async(self, timeout_s: float) -> None:
        """Suspend this task until the attempt has ended, *timeout_s* seconds at most."""
        import asyncio  # a program with tasks has imported it already

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await self._wait_under_trio(timeout_s)
            return
        ended = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(ended.set)

        self._when_done(wake)
        # Before Python 3.12, asyncio.wait_for may swallow a cancellation that arrives as it ends.
        late = loop.call_later(max(0.0, timeout_s), ended.set)
        try:
            await ended.wait()
        finally:
            late.cancel()

    async def _wait_under_trio(self, timeout_s: float) -> None:
        """Wait like `wait_async` under trio, where aiobotocore runs on anyio and httpx."""
        try:
            from anyio import CapacityLimiter
            from anyio.to_thread import run_sync

            # A separate limiter, so that waiting tasks use none of the program's threads.
            alone = CapacityLimiter(1)
            await run_sync(self.wait, timeout_s, abandon_on_cancel=True, limiter=alone)
        except (ImportError, RuntimeError) as error:
            raise no_loop(self.label, error) from None


def too_slow(label: str, waited_s: float) -> ExchangeError:
    """Return the error for a caller that stops waiting. The attempt may still succeed."""
    return ExchangeError(
        f"{label}: no answer within {waited_s:.0f} s.",
        fix="look at what the token source waits for; the metadata server and STS have "
        "time-outs of their own.",
        error_id="exchange/timeout",
        code="Timeout",
        retryable=True,
    )


def needs_itself(label: str) -> ConfigError:
    """Return the error for a thread that would wait for itself."""
    return ConfigError(
        f"The token source for {label} uses the credentials that it helps to get.",
        fix="give the session that the token source uses credentials of its own.",
        error_id="config/circular",
    )


def no_loop(label: str, error: Exception) -> ConfigError:
    """Return the error for a coroutine that runs on no known event loop."""
    return ConfigError(
        f"{label}: no event loop of asyncio or anyio is running ({error}).",
        fix="await it in a task of one; without one, use gcp_aws_bridge.session and .credentials, "
        "which are for threads.",
        error_id="config/no-loop",
    )


def no_thread(label: str, error: RuntimeError) -> ExchangeError:
    """Return the error for a background exchange for which no thread can be started."""
    return ExchangeError(
        f"{label}: no thread can be started for the exchange ({error}).",
        fix="raise the limit of threads (ulimit -u, the cgroup's pids.max); at the end of the "
        "interpreter, get credentials before. A thread needs none: it makes the exchange itself.",
        error_id="exchange/no-thread",
        code="NoThread",
        retryable=True,
    )


def unexpected(label: str, error: BaseException) -> BridgeError:
    """Return the error for an exchange that ended in an error of another kind.

    Its cause is *error* without frames: they may hold secrets, and the cache stores the result.
    """
    from gcp_aws_bridge._cache.late_patch import of_late_patch, patched_late

    if isinstance(error, of_late_patch()):
        return patched_late(label)
    made = ExchangeError(
        f"{label}: the exchange ended in {type(error).__name__}.",
        fix="see the cause above it in the traceback, and report it.",
        error_id="exchange/unexpected",
        code=type(error).__name__,
        retryable=True,
    )
    made.__cause__ = without_frames(error, kept=True)
    return made
