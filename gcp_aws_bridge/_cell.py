"""Freshness: one set of credentials, kept valid for any number of callers.

Invariant: `Cell.get` never returns credentials past their end by either clock, never starts an
exchange beside one that somebody may still wait for, and lets a caller wait only when there is
nothing valid to give.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Literal

from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge._events import Event, emit
from gcp_aws_bridge._flight import Flight, needs_itself, too_slow, unexpected
from gcp_aws_bridge._fork import reset_after_fork
from gcp_aws_bridge._refresh import (
    NO_REJECTION,
    POLICY,
    Failure,
    Kept,
    RefreshPolicy,
    RefreshStatus,
)
from gcp_aws_bridge._world import REAL, World, backoff_s
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError

_log = logging.getLogger("gcp_aws_bridge")


class Cell:
    """Keeps one set of credentials fresh. Thread-safe, and safe to inherit through `fork`.

    Args:
        fetch: Makes credentials; raises `BridgeError`. Never called twice at the same time.
        label: Names the credentials in logs, events and errors: a role's ARN.
        session_name: Of the role session, for logs and events.
    """

    def __init__(
        self,
        fetch: Callable[[], AwsCredentials],
        *,
        label: str = "credentials",
        session_name: str = "",
        policy: RefreshPolicy = POLICY,
        world: World = REAL,
    ) -> None:
        self.label = label
        self.session_name = session_name
        self._fetch = fetch
        self._policy = policy
        self._world = world
        self._clock, self._monotonic = world.clock, world.monotonic
        self._kept: Kept | None = None
        self._failure: Failure | None = None
        self._rejections = NO_REJECTION
        self._last_key: str | None = None  # the one before
        self._flight: Flight | None = None
        self._lock = threading.Lock()
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        # The refresher did not come along, and the lock may be held by a thread that did not
        # either. What was fetched stays good: the child does not exchange again for it.
        self._lock = threading.Lock()
        self._flight = None

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
                self._join_flight()

    def peek(self) -> AwsCredentials | None:
        """Valid credentials without waiting, or None. Starts a refresh that is due."""
        kept = self._kept
        if kept is None:
            return None
        now, now_s = self._clock(), self._monotonic()
        if kept.is_fresh(now, now_s):  # the hot path
            return kept.credentials
        if kept.status(now, now_s) is RefreshStatus.MANDATORY:
            return None
        failure = self._failure
        if not self._under_way(now_s) and (failure is None or now_s >= failure.retry_at_s):
            self._join_flight()
        return kept.credentials

    def reject(self, access_key_id: str) -> bool:
        """A service refused this key as expired or invalid: have it replaced.

        Whoever comes next waits for others, but is given these if none are to be had. Believed of
        the current key only, not within seconds of a failed attempt, and ever more rarely while
        what replaces it is refused too.

        Returns:
            Whether the key is from here and asking again may give another one.
        """
        with self._lock:
            kept, failure, now_s = self._kept, self._failure, self._monotonic()
            if kept is None:
                return False
            if kept.credentials.access_key_id != access_key_id:
                return access_key_id == self._last_key  # replaced while the request was on its way
            if kept.rejected:
                return True  # somebody else said so before
            just_failed = failure is not None and now_s < failure.remembered_until_s
            if just_failed or now_s < self._rejections.believed_from_s:
                return False
            self._rejections = self._policy.reject(self._rejections, now_s, self._world.jitter())
            self._kept = kept.as_rejected()
        emit(
            Event(
                "rejected",
                self.label,
                self.session_name,
                remaining_s=self._remaining_s(),
                expiration=kept.credentials.expiration,
            )
        )
        return True

    def _wait(self) -> AwsCredentials:
        flight = self._join_flight()
        if flight is None:
            return self.get()  # one landed meanwhile
        if flight.runner == threading.get_ident() and not flight.done():
            raise needs_itself(self.label)
        try:
            credentials = flight.result(self._policy.wait_s)
            # Else the machine slept while they were on their way.
            return credentials if credentials.expiration > self._clock() else self.get()
        except FutureTimeout:
            self._leave(flight)  # whoever comes next starts another
            error: BridgeError = too_slow(self.label, self._policy.wait_s)
        except BridgeError as shared:
            # A copy for each who waits: threads must not share one traceback.
            error = copy.copy(shared)
            error.__cause__ = shared.__cause__
        if (valid := self._even_if_rejected()) is not None:
            return valid
        raise error

    def _join_flight(self) -> Flight | None:
        """The attempt in flight, started if there is none; None where none is needed any more.

        Raises:
            BridgeError: Nothing is valid, and the last attempt failed a moment ago.
        """
        with self._lock:
            now_s = self._monotonic()
            if (flight := self._under_way(now_s)) is not None:
                return flight
            status = self._status()
            if status is RefreshStatus.NOT_NEEDED:
                return None  # refreshed while this thread waited for the lock
            if (failure := self._failure) is not None:
                waited_for = status is RefreshStatus.MANDATORY
                if waited_for and now_s < failure.remembered_until_s:
                    raise copy.copy(failure.error) from failure.error.__cause__
                if not waited_for and now_s < failure.retry_at_s:
                    return None  # it failed while this thread waited for the lock
            flight = self._flight = Flight(self._monotonic())
        try:
            self._world.spawn(lambda: self._run(flight))
        except BaseException:
            self._leave(flight)  # an interrupt just here must not leave a flight that nobody runs
            raise
        return flight

    def _under_way(self, now_s: float) -> Flight | None:
        """The flight; one that takes longer than anybody waits is lost, and another may start."""
        flight = self._flight
        lost = flight is not None and now_s - flight.started_s >= self._policy.wait_s
        return None if lost else flight

    def _run(self, flight: Flight) -> None:
        """Fetch, publish, then wake those who wait; whatever happens, the flight lands."""
        flight.runner = threading.get_ident()
        try:
            credentials = self._attempts(flight)
            self._publish(flight, credentials)
        except BridgeError as error:
            self._land(flight, error)
        except BaseException as error:
            self._land(flight, unexpected(self.label, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._leave(flight)
            flight.set_result(credentials)
            self._tell("exchanged", flight)

    def _attempts(self, flight: Flight) -> AwsCredentials:
        """Fetch; again, a few times, while that may help and somebody must be waiting."""
        policy, world = self._policy, self._world
        attempts = 1 if self._failure else policy.attempts  # in an outage, the pauses are longer
        while True:
            flight.attempts += 1
            try:
                return self._fetch()
            except ExchangeError as error:
                waited_for = self._status() is RefreshStatus.MANDATORY
                if not (error.retryable and waited_for and flight.attempts < attempts):
                    raise
                _log.debug("%s: attempt %d failed: %s", self.label, flight.attempts, error.code)
            world.sleep(
                backoff_s(flight.attempts, base_s=policy.pause_s, cap_s=5.0, jitter=world.jitter())
            )

    def _publish(self, flight: Flight, credentials: AwsCredentials) -> None:
        kept = self._policy.keep(
            credentials, self._clock(), self._monotonic(), self._world.jitter()
        )
        with self._lock:
            old = self._kept
            if old is not None:
                lost = self._flight is not flight
                if lost and not old.rejected and old.mandatory_at >= kept.mandatory_at:
                    return  # it was given up, and a later one was faster
                self._last_key = old.credentials.access_key_id
            self._kept, self._failure = kept, None

    def _land(self, flight: Flight, error: BridgeError) -> None:
        """End *flight* in *error*, for all who wait and, for a moment, for those who come next."""
        failure = self._leave(flight, error)
        flight.set_exception(error)
        if failure is not None and self._status() is RefreshStatus.ADVISORY:
            # At WARNING once an outage; the attempts that follow say so at DEBUG only.
            _log.log(
                logging.WARNING if failure.number == 1 else logging.DEBUG,
                "%s: refresh failed; those in use are good for %.0f s more, next try in %.0f s: %s",
                self.label,
                self._remaining_s(),
                failure.pause_s,
                error,
            )
        self._tell("failed", flight, error)

    def _leave(self, flight: Flight, error: BridgeError | None = None) -> Failure | None:
        """*flight* is over; where it brought nothing, what was rejected is better than nothing."""
        with self._lock:
            if self._flight is not flight:
                return None  # it was given up; another flies, or has landed
            # In this order, since another thread may fork at any point.
            if self._kept is not None and self._kept.rejected:
                self._kept = self._kept.reprieved()
            if error is not None:
                now_s, left_s = self._monotonic(), self._remaining_s()
                self._failure = self._policy.fail(
                    error, self._failure, now_s, self._world.jitter(), remaining_s=left_s
                )
            self._flight = None
            return self._failure

    def _even_if_rejected(self) -> AwsCredentials | None:
        return self._kept.credentials if self._kept and self._remaining_s() > 0 else None

    def _tell(
        self,
        kind: Literal["exchanged", "failed"],
        flight: Flight,
        error: BridgeError | None = None,
    ) -> None:
        kept = self._kept
        emit(
            Event(
                kind,
                self.label,
                self.session_name,
                attempts=flight.attempts,
                seconds=self._monotonic() - flight.started_s,
                remaining_s=self._remaining_s(),
                expiration=kept.credentials.expiration if kept else None,
                error=error,
            )
        )

    def _status(self) -> RefreshStatus:
        kept = self._kept
        return kept.status(self._clock(), self._monotonic()) if kept else RefreshStatus.MANDATORY

    def _remaining_s(self) -> float:
        kept = self._kept
        return kept.remaining_s(self._clock(), self._monotonic()) if kept else 0.0
