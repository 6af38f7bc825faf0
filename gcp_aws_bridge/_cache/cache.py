"""The credential cache: one value kept fresh for any number of threads and tasks.

The rules are in `state`, which decides what a caller gets. Invariant: `get` never returns
credentials that have expired by either clock.
"""

from __future__ import annotations

import contextvars
import copy
import threading
from collections.abc import Generator
from typing import Any, NamedTuple

from gcp_aws_bridge._cache import state
from gcp_aws_bridge._cache.attempt import RefreshAttempt, needs_itself, too_slow
from gcp_aws_bridge._cache.fork import is_uwsgi_master
from gcp_aws_bridge._cache.policy import Instant, Kept
from gcp_aws_bridge._cache.refresher import P, Refresher
from gcp_aws_bridge._cache.state import Action, Decision, Snapshot

_SERVED = (Action.SERVE, Action.REFRESH)
_LINGER = (Action.LINGER, Action.REFRESH_AND_LINGER)
_BEGIN = (Action.RUN, Action.REFRESH_AND_LINGER)


class Step(NamedTuple):
    """The next step of a caller: run the attempt, or wait for it."""

    attempt: RefreshAttempt[Any]
    wait_s: float | None  # None: run it


class CredentialCache(Refresher[P]):
    """One value kept fresh. Adds to `Refresher` how callers get the value and wait for it."""

    def get(self, at_least_s: float = 0.0) -> P:
        """Return valid credentials. Waits only if there are none, or only seconds are left.

        Without valid credentials, the calling thread runs the exchange, unless one is pending.

        Args:
            at_least_s: Seconds for which the caller needs the credentials.

        Raises:
            BridgeError: No credentials are valid, and the exchange failed.
        """
        kept = self._snapshots.newest.kept  # the hot path
        if (
            kept is not None
            and self._clock() < kept.advisory_at
            and self.monotonic() < kept.advisory_s
            and not at_least_s
        ):
            found: P = kept.credentials
            return found
        steps = self._steps(at_least_s, can_run=True)
        try:
            while True:
                step = next(steps)
                if step.wait_s is None:
                    # In a separate context: CPython may crash if a finalizer sets a context
                    # variable while the interrupted code sets one in the same context.
                    contextvars.copy_context().run(self._run, step.attempt)
                else:
                    step.attempt.wait(step.wait_s)
        except StopIteration as end:
            found = end.value
            return found

    async def get_async(self, at_least_s: float = 0.0) -> P:
        """Return valid credentials, like `get`, without blocking the event loop.

        Tasks and threads wait for the same attempt. Cancelling a task affects no other caller.
        """
        steps = self._steps(at_least_s, can_run=False)
        try:
            while True:
                step = next(steps)
                await step.attempt.wait_async(step.wait_s or 0.0)
        except StopIteration as end:
            found: P = end.value
            return found

    def peek(self, at_least_s: float = 0.0) -> P | None:
        """Return valid credentials without waiting, or None. Starts a refresh if one is due.

        Args:
            at_least_s: Seconds for which the caller needs the credentials.
        """
        snapshot, now, decision = self._decide()
        kept, action = snapshot.kept, decision.action
        if action in (Action.REFRESH, Action.REFRESH_AND_LINGER):
            self._start(snapshot, now)
        if kept is None or (kept.rejected and action in _LINGER):
            return None
        if not self._policy.is_enough(kept, now, at_least_s):
            return None
        found: P = kept.credentials
        return found

    def is_valid(self, kept: Kept, at_least_s: float = 0.0) -> bool:
        """Return whether *kept*, from an earlier `memory`, is still valid and not rejected."""
        rejected = kept.rejected or kept.credentials.public_id == self._rejected_id
        return not rejected and self._policy.is_enough(kept, self._now(), at_least_s)

    def warm_up(self, *, within_s: float = 0.0) -> bool:
        """Start an exchange if one is due. Return whether credentials were valid. Never raises.

        Args:
            within_s: Seconds to wait for the exchange if no credentials are valid.
        """
        if self.peek() is not None:
            return True
        snapshot, now, decision = self._decide()
        if decision.action is Action.RUN and not is_uwsgi_master():
            self._start(snapshot, now)
        if within_s and (attempt := self.snapshot.attempt) is not None:
            attempt.wait(within_s)
        return False

    def refresh(self, *, within_s: float) -> None:
        """Wait up to *within_s* seconds for a refresh that is due, then abandon it.

        For short-lived processes. Without valid credentials it does nothing: `get` waits for them.
        """
        self.peek()
        attempt = self.snapshot.attempt
        if attempt is not None:
            attempt.wait(within_s)
            if not attempt.done:
                self._give_up(attempt)

    # The steps of a caller.

    def _steps(self, at_least_s: float, *, can_run: bool) -> Generator[Step, None, P]:
        """Yield the steps of a caller, a thread or a task, then return credentials.

        Args:
            at_least_s: Seconds for which the caller needs the credentials.
            can_run: Whether the caller can run an exchange; a task would block its event loop.
        """
        deadline_s = float("inf")
        attempt: RefreshAttempt[P] | None = None  # that this caller ran or waited for
        while True:
            snapshot, now, (action, until_s) = self._decide(at_least_s)
            pending, now_s = snapshot.attempt, now.monotonic_s
            if action is Action.REFRESH:
                self._start(snapshot, now)
            nested = self._nested(snapshot)
            found = self._found(snapshot, now, action, attempt, nested=bool(nested))
            if found is not None:
                return found
            if nested > 1 or (nested and not can_run):
                raise needs_itself(self.label)
            if action not in _LINGER:
                deadline_s = self._deadline_s(deadline_s, now_s)
            queued = pending is not None and pending.is_queued
            if can_run and queued and action not in _LINGER:
                attempt = pending
                yield Step(pending, None)
            elif nested or action in _BEGIN or (action is Action.TAKE_OVER and can_run):
                attempt = self._begin(snapshot, now)
                if attempt and self._is_own(attempt, snapshot, action, can_run=can_run):
                    yield Step(attempt, None)
            else:
                if queued and attempt is not pending:
                    self._submit(pending, True)  # before attempts for which no caller waits
                attempt = pending
                until_s = min(until_s, deadline_s)
                yield Step(pending, until_s - now_s)
                # Not later than until_s: the process may have been frozen while it waited.
                pending.seen_s = min(self.monotonic(), until_s)

    def _deadline_s(self, deadline_s: float, now_s: float) -> float:
        """Return when a caller without valid credentials stops waiting, which it starts now."""
        if now_s >= deadline_s:
            raise too_slow(self.label, self._policy.wait_s)
        return min(deadline_s, now_s + self._policy.wait_s)

    def _found(
        self,
        snapshot: Snapshot,
        now: Instant,
        action: Action,
        attempt: RefreshAttempt[P] | None,
        *,
        nested: bool,
    ) -> P | None:
        """Return credentials for the caller, or None to continue; raise the error of an attempt.

        Each caller gets a copy of the error: threads must not share a traceback.
        """
        if attempt and attempt.credentials and attempt.credentials.expiration > now.wall:
            return attempt.credentials  # may have expired if the machine slept
        kept = snapshot.kept
        if kept and (action in _SERVED or (nested and kept.remaining_s(now) > 0)):
            found: P = kept.credentials
            return found
        error = attempt and attempt.error
        if action is Action.RAISE and snapshot.failure:
            error = error or snapshot.failure.error
        if error and action not in _LINGER:
            raise copy.copy(error) from error.__cause__
        return None

    def _nested(self, snapshot: Snapshot) -> int:
        """Return the number of attempts that the calling thread is running.

        1 has two meanings: a finalizer or a signal handler interrupted the attempt and may run
        another one, or the token source needs the credentials that it helps to get. 2 proves the
        latter.
        """
        pending = (snapshot.attempt, *snapshot.unfinished)
        if all(attempt is None or attempt.runner is None for attempt in pending):
            return 0
        me = threading.get_ident()
        return sum(attempt is not None and attempt.runner == me for attempt in pending)

    def _is_own(
        self, attempt: RefreshAttempt[P], snapshot: Snapshot, action: Action, *, can_run: bool
    ) -> bool:
        """Return whether the caller runs *attempt*; otherwise submit it to a thread."""
        if can_run and action is not Action.REFRESH_AND_LINGER:
            return True
        rejected = snapshot.kept is not None and snapshot.kept.rejected
        return not self._submit(attempt, True, or_run=can_run and rejected)

    def _decide(self, at_least_s: float = 0.0) -> tuple[Snapshot, Instant, Decision]:
        """Return the decision for a caller. Abandon a pending attempt that has timed out."""
        while True:
            snapshot, now = self.snapshot, self._now()
            decision = state.decide(snapshot, now, self._policy, at_least_s)
            attempt: RefreshAttempt[P] | None = snapshot.attempt
            if decision.action is not Action.TIME_OUT:
                if attempt is not None:
                    attempt.seen_s = now.monotonic_s
                return snapshot, now, decision
            if attempt is not None and attempt.excuse(
                now.monotonic_s, self._policy.wait_s, self._policy.stalled_s
            ):
                continue
            self._give_up(snapshot.attempt)
