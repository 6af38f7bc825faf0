"""Freshness: one set of credentials, kept valid for any number of callers.

Invariant: `Cell.get` never returns credentials past their end, never has two exchanges in flight,
and lets a caller wait only when there is nothing valid to give.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime
from typing import NamedTuple

from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge._fork import reset_after_fork
from gcp_aws_bridge._refresh import POLICY, Kept, RefreshPolicy, RefreshStatus
from gcp_aws_bridge._world import REAL, World, backoff_s
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, ExchangeError

_log = logging.getLogger("gcp_aws_bridge")


class _Failure(NamedTuple):
    """The last attempt failed.

    Attributes:
        number: Of failures in a row.
        retry_at_s: No background attempt before; seconds of the monotonic clock, since a wall
            clock that is set back must not put the next attempt off.
        remembered_until_s: With nothing valid, answers further callers until then.
    """

    error: BridgeError
    number: int
    retry_at_s: float
    remembered_until_s: float


class Cell:
    """Keeps one set of credentials fresh. Thread-safe, and safe to inherit through `fork`.

    Args:
        fetch: Makes credentials; raises `BridgeError`. Never called twice at the same time.
        label: Names the credentials in logs and errors.
    """

    def __init__(
        self,
        fetch: Callable[[], AwsCredentials],
        *,
        label: str = "credentials",
        policy: RefreshPolicy = POLICY,
        world: World = REAL,
    ) -> None:
        self.label = label
        self._fetch = fetch
        self._policy = policy
        self._world = world
        self._clock = world.clock
        self._kept: Kept | None = None
        self._failure: _Failure | None = None
        self._flight: Future[AwsCredentials] | None = None
        self._runner: int | None = None  # the thread of the flight
        self._lock = threading.Lock()
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        # The refresher did not come along, and the lock may be held by a thread that did not
        # either. What was fetched stays good: the child does not exchange again for it.
        self._lock = threading.Lock()
        self._flight = self._runner = None

    def get(self) -> AwsCredentials:
        """Valid credentials; waits only where there are none.

        Raises:
            BridgeError: There are none, and none were to be had.
        """
        return self.peek() or self._wait()

    def warm_up(self) -> None:
        """Start an exchange where nothing is valid. Neither waits for it nor raises its error."""
        if self.peek() is None:
            with contextlib.suppress(BridgeError):
                self._join_flight(self._clock())

    def peek(self) -> AwsCredentials | None:
        """Valid credentials without waiting, or None. Starts a refresh that is due."""
        kept = self._kept
        if kept is None:
            return None
        now = self._clock()
        if now < kept.advisory_at:  # the hot path
            return kept.credentials
        if kept.status(now) is RefreshStatus.MANDATORY:
            return None
        failure = self._failure
        if self._flight is None and (
            failure is None or self._world.monotonic() >= failure.retry_at_s
        ):
            self._join_flight(now)
        return kept.credentials

    def _wait(self) -> AwsCredentials:
        flight = self._join_flight(self._clock())
        if flight is None:
            return self.get()  # one landed meanwhile
        if self._runner == threading.get_ident():
            raise _needs_itself(self.label)
        try:
            return flight.result(self._policy.wait_s)
        except FutureTimeout:
            self._leave(flight)  # whoever comes next starts another
            raise self._too_slow() from None
        except BridgeError as error:
            # A copy for each who waits: threads must not share one traceback.
            raise copy.copy(error) from error.__cause__

    def _join_flight(self, now: datetime) -> Future[AwsCredentials] | None:
        """The attempt in flight, started if there is none; None where none is needed any more.

        Raises:
            BridgeError: Nothing is valid, and the last attempt failed a moment ago.
        """
        with self._lock:
            if self._flight is not None:
                return self._flight
            status = self._status(now)
            if status is RefreshStatus.NOT_NEEDED:
                return None  # refreshed while this thread waited for the lock
            failure = self._failure
            if (
                status is RefreshStatus.MANDATORY
                and failure is not None
                and self._world.monotonic() < failure.remembered_until_s
            ):
                raise copy.copy(failure.error) from failure.error.__cause__
            flight: Future[AwsCredentials] = Future()
            flight.set_running_or_notify_cancel()  # nobody who waits can cancel it for the others
            self._flight = flight
        try:
            self._world.spawn(lambda: self._run(flight))
        except BaseException:
            self._leave(flight)  # an interrupt just here must not leave a flight that nobody runs
            raise
        return flight

    def _leave(self, flight: Future[AwsCredentials]) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None

    def _status(self, now: datetime) -> RefreshStatus:
        return self._kept.status(now) if self._kept else RefreshStatus.MANDATORY

    def _run(self, flight: Future[AwsCredentials]) -> None:
        """Fetch, publish, then wake those who wait; whatever happens, the flight lands."""
        self._runner = threading.get_ident()
        try:
            credentials = self._attempts()
            kept = self._policy.keep(credentials, self._clock(), self._world.jitter())
        except BridgeError as error:
            self._publish_failure(error)
            self._leave(flight)
            flight.set_exception(error)
        except BaseException as error:
            unexpected = _unexpected(self.label, error)
            self._publish_failure(unexpected)
            self._leave(flight)
            flight.set_exception(unexpected)
            if not isinstance(error, Exception):
                raise
        else:
            self._kept, self._failure = kept, None
            self._leave(flight)
            flight.set_result(credentials)
        finally:
            self._runner = None

    def _attempts(self) -> AwsCredentials:
        """Fetch; again, a few times, while that may help and somebody must be waiting."""
        policy, world = self._policy, self._world
        attempt = 1
        while True:
            started = world.monotonic()
            try:
                credentials = self._fetch()
            except ExchangeError as error:
                waited_for = self._status(self._clock()) is RefreshStatus.MANDATORY
                if not (error.retryable and waited_for and attempt < policy.attempts):
                    raise
                _log.debug("%s: attempt %d failed: %s", self.label, attempt, error.code)
            else:
                _log.debug(
                    "%s: fresh until %s (attempt %d, %.0f ms)",
                    self.label,
                    credentials.expiration.isoformat(timespec="seconds"),
                    attempt,
                    (world.monotonic() - started) * 1000,
                )
                return credentials
            world.sleep(backoff_s(attempt, base_s=policy.pause_s, cap_s=5.0, jitter=world.jitter()))
            attempt += 1

    def _publish_failure(self, error: BridgeError) -> None:
        policy, world = self._policy, self._world
        number = self._failure.number + 1 if self._failure else 1
        pause_s = backoff_s(
            number,
            base_s=policy.backoff_base_s,
            cap_s=policy.backoff_cap_s,
            jitter=world.jitter(),
        )
        now_s = world.monotonic()
        self._failure = _Failure(
            error, number, now_s + pause_s, now_s + min(pause_s, policy.remember_s)
        )
        kept = self._kept
        if kept is not None and kept.status(now := self._clock()) is RefreshStatus.ADVISORY:
            # At WARNING once an outage; the attempts that follow say so at DEBUG only.
            _log.log(
                logging.WARNING if number == 1 else logging.DEBUG,
                "%s: refresh failed; those in use are good for %.0f s more, next try in %.0f s: %s",
                self.label,
                (kept.mandatory_at - now).total_seconds(),
                pause_s,
                error,
            )

    def _too_slow(self) -> ExchangeError:
        return ExchangeError(
            f"{self.label}: no answer within {self._policy.wait_s:.0f} s.",
            fix="look at what the token source waits for; the metadata server and STS have "
            "time-outs of their own.",
            error_id="exchange/timeout",
            code="Timeout",
            retryable=True,
        )


def _needs_itself(label: str) -> ConfigError:
    return ConfigError(
        f"The token source for {label} uses these very credentials.",
        fix="give the session that the token source uses credentials of its own.",
        error_id="config/circular",
    )


def _unexpected(label: str, error: BaseException) -> ExchangeError:
    """A fault of ours or an interrupt in the refresh: those who wait get an error, not silence."""
    unexpected = ExchangeError(
        f"{label}: the exchange ended in {type(error).__name__}.",
        fix="see the cause below it in the traceback, and report it.",
        error_id="exchange/unexpected",
        code=type(error).__name__,
        retryable=True,
    )
    unexpected.__cause__ = error
    return unexpected
