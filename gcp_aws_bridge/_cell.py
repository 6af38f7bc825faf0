"""Freshness: one set of credentials, kept valid for any number of callers.

Invariant: `Cell.get` never returns credentials past their end by either clock, and lets a caller
wait only when there is nothing valid to give.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures import wait

from gcp_aws_bridge._flight import Abandoned, Flight, needs_itself, too_slow
from gcp_aws_bridge._refresh import Kept, RefreshStatus
from gcp_aws_bridge._renewal import P, Renewal
from gcp_aws_bridge.exceptions import BridgeError


class Cell(Renewal[P]):
    """Keeps one set of credentials fresh: what callers see of a `Renewal`, and how they wait."""

    def get(self) -> P:
        """Valid credentials; waits only where there are none.

        Raises:
            BridgeError: There are none, and none were to be had.
        """
        return self.peek() or self._wait()

    async def get_async(self) -> P:
        """As `get`, for a task of an event loop: blocks it never, and waits for the same attempt.

        A task that is cancelled while it waits cancels nobody else.
        """
        until_s = 0.0
        while (valid := self.peek()) is None:
            flight = self.join(inline=False)
            if flight:
                self._not_of_itself(flight)
                until_s = until_s or self.monotonic() + self._policy.wait_s
                await flight.landing(self._patience_s(flight, until_s))
                if landed := self._outcome(flight, 0, until_s):
                    return landed
        return valid

    def refresh(self, *, within_s: float) -> None:
        """Have a refresh that is due over or given up so soon: for a process that ends then.

        Nothing where nothing is valid: `get` waits for that.
        """
        self.peek()
        if (flight := self._flight) is not None:
            wait([flight], within_s)
            if not flight.done():
                self._give_up(flight)

    def warm_up(self) -> bool:
        """Start an exchange that is due; whether anything is valid. Neither waits nor raises."""
        if self.peek() is not None:
            return True
        with contextlib.suppress(BridgeError):
            self.join()
        return False

    def peek(self) -> P | None:
        """Valid credentials without waiting, or None. Starts a refresh that is due."""
        kept = self._kept
        if kept is None:
            return None
        now, now_s = self._clock(), self.monotonic()
        valid: P = kept.credentials
        if kept.is_fresh(now, now_s):  # the hot path
            return valid
        if kept.status(now, now_s) is RefreshStatus.MANDATORY:
            return None
        failure = self._failure
        flying = self._flight is not None and not self._is_lost(self._flight)
        if not flying and (failure is None or now_s >= failure.retry_at_s):
            self.join()
        return valid

    def is_valid(self, kept: Kept) -> bool:
        """Return whether *kept*, once part of `memory`, is neither expired nor rejected."""
        is_rejected = kept.credentials.public_id == self._rejected_id
        status = kept.status(self._clock(), self.monotonic())
        return not is_rejected and status is not RefreshStatus.MANDATORY

    def _wait(self) -> P:
        until_s = 0.0
        while True:
            flight = self.join()
            if flight:
                until_s = until_s or self.monotonic() + self._policy.wait_s
                patience_s = self._patience_s(flight, until_s)
                if landed := self._outcome(flight, patience_s, until_s):
                    return landed
            if (valid := self.peek()) is not None:
                return valid

    def _outcome(self, flight: Flight[P], timeout_s: float, until_s: float) -> P | None:
        """What *flight* brought, waited for; None: ask again, where *until_s* is not over."""
        self._not_of_itself(flight)
        try:
            credentials = flight.result(timeout_s)
            # Else the machine slept while they were on their way.
            return credentials if credentials.expiration > self._clock() else None
        except Abandoned:
            return None
        except FutureTimeout:
            if self._has_rejected():
                self._reprieve()  # and what is under way goes on, behind the caller
            else:
                if self._is_lost(flight):
                    self._give_up(flight)
                if self.monotonic() < until_s:
                    return None  # it had been under way for a while when this caller came
            error: BridgeError = too_slow(self.label, self._policy.wait_s)
        except BridgeError as shared:
            # A copy for each who waits: threads must not share one traceback.
            error = copy.copy(shared)
            error.__cause__, shared.__traceback__ = shared.__cause__, None
        if self._kept is None or self.remaining_s() <= 0:
            raise error
        rejected: P = self._kept.credentials
        return rejected  # by a service, and better than nothing

    def _not_of_itself(self, flight: Flight[P]) -> None:
        if flight.runner == threading.get_ident() and not flight.done():
            raise needs_itself(self.label)

    def _patience_s(self, flight: Flight[P], until_s: float) -> float:
        """How long to wait for *flight*, which may have been under way for a while."""
        policy = self._policy
        most_s = policy.rejected_wait_s if self._has_rejected() else policy.wait_s
        return max(0.0, min(flight.started_s + most_s, until_s) - self.monotonic())
