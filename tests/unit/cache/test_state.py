"""The table of states, row by row; and what the pure functions never do, in any short history."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import START, credentials

from gcp_aws_bridge._cache import state
from gcp_aws_bridge._cache.atomic import Atomic
from gcp_aws_bridge._cache.policy import POLICY, Failure, Instant, Kept
from gcp_aws_bridge._cache.state import Action, Credentials, Decision, Refresh, Snapshot, decide
from gcp_aws_bridge.exceptions import ExchangeError

PAGE = Path(__file__).parents[3] / "docs/explanation/refresh.md"
HOUR_S = 3600.0
AWAY = ExchangeError("away", code="EndpointConnectionError", retryable=True)
TIMEOUT = ExchangeError("slow", error_id="exchange/timeout", retryable=True)


@dataclass(eq=False)
class Attempt:
    started_s: float
    is_queued: bool = False


def at(seconds: float) -> Instant:
    """So long after the start, by both clocks."""
    return Instant(START + timedelta(seconds=seconds), seconds)


# -- the table ---------------------------------------------------------------------------------


def table(text: str) -> dict[tuple[Refresh, Credentials], Action]:
    """The first table in *text* whose columns are the states of the credentials."""
    lines = [[c.strip(" `") for c in row.split("|")[1:-1]] for row in re.findall(r"\|.*\|", text)]
    columns = [c.value for c in Credentials]
    start = next(n for n, line in enumerate(lines) if line[1:] == columns)
    rows = lines[start + 2 : start + 2 + len(Refresh)]
    return {
        (Refresh(row[0]), Credentials(column)): Action(cache)
        for row in rows
        for column, cache in zip(columns, row[1:], strict=True)
    }


DOCUMENTED = table(state.__doc__ or "")
NOW_S = 10_000.0


def kept_as(wanted: Credentials) -> Kept | None:
    """Credentials that are so at `NOW_S`."""
    ages_s = {Credentials.FRESH: 0, Credentials.STALE: 2400, Credentials.ENDING: 3300}
    age_s = ages_s.get(wanted, 0 if wanted is Credentials.REJECTED else 3595)
    obtained = at(NOW_S - age_s)
    made = credentials(1, obtained.wall + timedelta(seconds=HOUR_S))
    kept = POLICY.keep(made, obtained.wall, obtained.monotonic_s, 0.5)
    return kept.as_rejected() if wanted is Credentials.REJECTED else kept


def failure_as(wanted: Refresh) -> Failure | None:
    retry_in_s = {Refresh.RETRYING: -1.0, Refresh.RETRY_DUE: -1.0, Refresh.BACKING_OFF: 1.0}
    if wanted not in retry_in_s:
        return None
    at_s = NOW_S + retry_in_s[wanted]
    return Failure(AWAY, 1, 1.0, at_s, at_s)


def snapshot_as(refresh: Refresh, wanted: Credentials) -> Snapshot:
    age_s = {Refresh.PENDING: 0.5, Refresh.RETRYING: 0.5, Refresh.STALLED: 3.0, Refresh.HANGING: 5}
    attempt = Attempt(NOW_S - age_s[refresh]) if refresh in age_s else None
    others = tuple(Attempt(NOW_S - s) for s in (30, 20, 10)) if refresh is Refresh.HANGING else ()
    return Snapshot().but(
        kept=kept_as(wanted), failure=failure_as(refresh), attempt=attempt, unfinished=others
    )


@pytest.mark.parametrize(
    ("refresh", "wanted"), DOCUMENTED, ids=lambda member: member.value.replace(" ", "-")
)
def test_each_row_of_the_table(refresh: Refresh, wanted: Credentials) -> None:
    decision = decide(snapshot_as(refresh, wanted), at(NOW_S))
    assert DOCUMENTED[refresh, wanted] is decision.action


def test_the_table_has_each_pair_of_states() -> None:
    assert {(r, c) for r in Refresh for c in Credentials} == {*DOCUMENTED}
    assert {(r, c): state.TABLE[r][c] for r, c in DOCUMENTED} == DOCUMENTED


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_the_page_has_the_same_table_and_explains_each_word() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert DOCUMENTED == table(text)
    words = [*Refresh, *Credentials, *(a for a in Action if "," not in a.value)]
    missing = [w.value for w in words if f"**{w.value}**" not in text]
    assert [] == missing


@pytest.mark.parametrize("wanted", Credentials, ids=lambda member: member.value)
@pytest.mark.parametrize("refresh", [Refresh.IDLE, Refresh.RETRY_DUE], ids=str)
def test_an_attempt_is_given_up_after_90_s_whatever_the_credentials_are(
    refresh: Refresh, wanted: Credentials
) -> None:
    snapshot = snapshot_as(refresh, wanted).but(attempt=Attempt(NOW_S - 90.0))
    assert Action.TIME_OUT is decide(snapshot, at(NOW_S)).action
    given_up = state.timed_out(snapshot, TIMEOUT, at(NOW_S))
    assert Action.TIME_OUT is not decide(given_up, at(NOW_S)).action


@pytest.mark.parametrize(
    ("wanted", "wait_s"), [(Credentials.ENDING, 1.0), (Credentials.REJECTED, 3.0)]
)
def test_a_short_wait_ends_so_long_after_the_start_of_the_attempt(
    wanted: Credentials, wait_s: float
) -> None:
    snapshot = snapshot_as(Refresh.PENDING, wanted)
    started_s = snapshot.attempt.started_s
    assert Decision(Action.LINGER, started_s + wait_s) == decide(snapshot, at(NOW_S))
    assert Action.SERVE is decide(snapshot, at(started_s + wait_s)).action


def test_a_thread_takes_over_after_3_s_and_waits_for_90_s_in_all() -> None:
    snapshot = snapshot_as(Refresh.PENDING, Credentials.NONE)
    started_s = snapshot.attempt.started_s
    assert (Action.WAIT, started_s + 3.0) == decide(snapshot, at(NOW_S))
    assert (Action.TAKE_OVER, started_s + 90.0) == decide(snapshot, at(started_s + 3.0))


@pytest.mark.parametrize("age_s", [0.0, 4.0, 1000.0])
@pytest.mark.parametrize("failure", [None, failure_as(Refresh.RETRYING)], ids=["first", "again"])
def test_an_attempt_that_no_thread_has_begun_is_not_too_slow(
    failure: Failure | None, age_s: float
) -> None:
    queued = Attempt(NOW_S - age_s, is_queued=True)
    snapshot = snapshot_as(Refresh.PENDING, Credentials.NONE).but(attempt=queued, failure=failure)
    assert (Action.WAIT, NOW_S + 3.0) == decide(snapshot, at(NOW_S))
    stale = snapshot.but(kept=kept_as(Credentials.STALE))
    assert Action.SERVE is decide(stale, at(NOW_S)).action


@pytest.mark.parametrize("life_s", [900, 1800, 3600, 43_200])
def test_a_process_that_keeps_asking_is_never_near_the_end(life_s: int) -> None:
    """The latest possible refresh comes well before a caller would wait for it."""
    kept = POLICY.keep(credentials(1, START + timedelta(seconds=life_s)), START, 0.0, 0.999)
    assert not POLICY.is_ending(kept, at(life_s * 0.68))


@pytest.mark.parametrize(("at_least_s", "served"), [(0, True), (1790, True), (1810, False)])
def test_a_caller_who_needs_more_life_finds_nothing_valid(at_least_s: int, served: bool) -> None:
    kept = POLICY.keep(credentials(1, START + timedelta(hours=1)), START, 0.0, 0.5)
    wanted = state.credentials_of(kept, at(1790), at_least_s=at_least_s)
    assert served is (wanted is Credentials.FRESH)


def test_a_need_that_fresh_credentials_cannot_meet_is_met_as_far_as_that_goes() -> None:
    kept = POLICY.keep(credentials(1, START + timedelta(hours=1)), START, 0.0, 0.5)
    assert Credentials.FRESH is state.credentials_of(kept, at(349), at_least_s=40_000)
    assert Credentials.NONE is state.credentials_of(kept, at(351), at_least_s=40_000)


def test_a_snapshot_shows_no_secret() -> None:
    snapshot = snapshot_as(Refresh.IDLE, Credentials.FRESH)
    assert not isinstance(snapshot, tuple)
    assert not isinstance(snapshot.kept, tuple)
    assert not re.search("secret-1|token-1", repr(snapshot) + repr(snapshot.kept))


# -- histories ---------------------------------------------------------------------------------


class History:
    """One order of events, by the rules of the shell, and what must hold in each."""

    def __init__(self) -> None:
        self.snapshot, self.now_s, self.wall_s = Snapshot(), 0.0, 0.0
        self.jitter, self.count = 0.5, 0
        self.asking: list[Attempt] = []  # those whose exchange has begun
        self.ended_s: float | None = None  # the last attempt that failed, none succeeded since
        self.began_s: list[float] = []

    @property
    def now(self) -> Instant:
        return Instant(START + timedelta(seconds=self.wall_s), self.now_s)

    def copy(self) -> History:
        other = History()
        vars(other).update(vars(self), asking=[*self.asking], began_s=[*self.began_s])
        return other

    def key(self) -> tuple[object, ...]:
        """What decides about the future: instants only as far from now as they matter."""
        snapshot, now, kept = self.snapshot, self.now, self.snapshot.kept
        failure, rejections = snapshot.failure, snapshot.rejections
        return (
            kept and (kept.remaining_s(now), kept.advisory_s - now.monotonic_s, kept.rejected),
            kept and (kept.was_rejected, (kept.advisory_at - now.wall).total_seconds()),
            failure and (failure.number, failure.retry_at_s - self.now_s),
            failure and max(-1.0, failure.remembered_until_s - self.now_s),
            snapshot.attempt and snapshot.attempt.started_s - self.now_s,
            snapshot.attempt and snapshot.attempt.is_queued,
            tuple(one.started_s - self.now_s for one in snapshot.unfinished),
            tuple(one.started_s - self.now_s for one in self.asking),
            (rejections.number, max(-1.0, rejections.believed_from_s - self.now_s)),
        )

    # Events.

    def ask(self) -> None:
        """A thread asks, and does what it is to do."""
        decision = decide(self.snapshot, self.now)
        if decision.action is Action.TIME_OUT:
            assert not self.snapshot.attempt.is_queued, "no exchange was too slow"
            assert self.now_s >= self.snapshot.attempt.started_s + 90
            self.snapshot = state.timed_out(self.snapshot, TIMEOUT, self.now, jitter=self.jitter)
            decision = decide(self.snapshot, self.now)
        kept, pending = self.snapshot.kept, self.snapshot.attempt
        begins = (Action.RUN, Action.TAKE_OVER, Action.REFRESH, Action.REFRESH_AND_LINGER)
        if decision.action in begins:
            background = decision.action in (Action.REFRESH, Action.REFRESH_AND_LINGER)
            self._begin(queued=background)
        waits = (Action.WAIT, Action.RUN, Action.TAKE_OVER, Action.RAISE)
        if decision.action not in waits:
            assert kept is not None
            assert kept.remaining_s(self.now) > 0, "expired credentials"
            assert kept.credentials.expiration > self.now.wall, "expired credentials"
        else:
            assert kept is None or kept.remaining_s(self.now) <= 0, "waits, though some are valid"
        if decision.action is Action.RAISE:
            assert self.snapshot.failure is not None
            assert self.now_s < self.snapshot.failure.retry_at_s + 900
        if decision.action is Action.WAIT:
            assert pending is not None
            since_s = self.now_s if pending.is_queued else pending.started_s
            assert self.now_s < decision.until_s <= since_s + 90
            self.start_queued()  # the caller makes it

    def start_queued(self) -> None:
        """A thread begins the exchange of the attempt that waits for one."""
        pending = self.snapshot.attempt
        if pending is not None and pending.is_queued:
            begun = Attempt(self.now_s)
            self.snapshot = self.snapshot.but(attempt=begun)
            self.asking.append(begun)

    def _begin(self, *, queued: bool) -> None:
        old = self.snapshot
        if old.attempt is not None:
            assert not old.attempt.is_queued, "two attempts at once"
            assert self.now_s >= old.attempt.started_s + 3, "two attempts at once"
            crowded = len(old.unfinished) >= 3 and self.now_s < old.unfinished[-1].started_s + 900
            assert not crowded, "too many attempts that never end"
        elif self.ended_s is not None and old.failure is not None:
            timed_out = old.failure.error is TIMEOUT
            assert timed_out or self.now_s >= self.ended_s + 1, "asked again too soon"
        recent = [began_s for began_s in self.began_s if began_s > self.now_s - 60]
        assert len(recent) <= 60 + 3, "more than one attempt a second"
        attempt = Attempt(self.now_s, queued)
        self.snapshot = state.started(old, attempt)
        if not queued:
            self.asking.append(attempt)
        self.began_s.append(self.now_s)

    def succeed(self, life_s: float, late: bool = False) -> None:
        if self.asking:
            self.count += 1
            made = credentials(self.count, self.now.wall + timedelta(seconds=life_s))
            kept = POLICY.keep(made, self.now.wall, self.now_s, self.jitter)
            attempt = self.asking.pop(0 if late else -1)
            before = self.snapshot.remaining_s(self.now)
            self.snapshot = state.succeeded(self.snapshot, attempt, kept)
            self._has_no(attempt)
            assert self.snapshot.remaining_s(self.now) >= min(before, life_s - 10)
            self.ended_s = None

    def fail(self, late: bool = False) -> None:
        if self.asking:
            attempt = self.asking.pop(0 if late else -1)
            before, pending = self.snapshot.kept, self.snapshot.attempt is attempt
            self.snapshot = state.failed(self.snapshot, attempt, AWAY, self.now, jitter=self.jitter)
            self._has_no(attempt)
            after = self.snapshot.kept
            assert (before and before.credentials) is (after and after.credentials)
            self.ended_s = self.now_s if pending else self.ended_s

    def interrupt(self) -> None:
        if self.asking:
            attempt = self.asking.pop()
            self.snapshot = state.interrupted(self.snapshot, attempt)
            self._has_no(attempt)

    def _has_no(self, attempt: Attempt) -> None:
        assert self.snapshot.attempt is not attempt
        assert attempt not in self.snapshot.unfinished

    def reject(self) -> None:
        before, kept = self.snapshot, self.snapshot.kept
        if kept is not None:
            public_id = kept.credentials.public_id
            self.snapshot, _ = state.rejected(before, public_id, self.now_s, jitter=self.jitter)
            if self.snapshot is not before:
                assert self.now_s >= before.rejections.believed_from_s

    def fork(self) -> None:
        self.snapshot = state.forked(self.snapshot, self.snapshot.pid + 1)
        self.asking, self.ended_s = [], None

    def move(self, monotonic_s: float, wall_s: float | None = None) -> None:
        self.now_s += monotonic_s
        self.wall_s += monotonic_s if wall_s is None else wall_s


Event = Callable[[History], Any]
EVENTS: dict[str, Event] = {
    "ask": History.ask,
    "an hour's credentials": lambda history: history.succeed(HOUR_S),
    "a late result": lambda history: history.succeed(900.0, late=True),
    "fail": History.fail,
    "fail late": lambda history: history.fail(late=True),
    "interrupt": History.interrupt,
    "reject": History.reject,
    "fork": History.fork,
    "a thread is free": History.start_queued,
    "1 s": lambda history: history.move(1.0),
    "3 s": lambda history: history.move(3.0),
    "91 s": lambda history: history.move(91.0),
    "half an hour": lambda history: history.move(1800.0),
    "near the end": lambda history: history.move(1500.0),
    "the machine sleeps": lambda history: history.move(0.0, 3000.0),
    "the clock is set back": lambda history: history.move(0.0, -3000.0),
}


def next_histories(history: History) -> Iterator[History]:
    for event in EVENTS.values():
        following = history.copy()
        event(following)
        yield following


def test_no_short_history_breaks_a_rule() -> None:
    """All orders of up to six events that differ in anything that matters."""
    seen: set[tuple[object, ...]] = set()
    level = [History()]
    for _ in range(6):
        following = {h.key(): h for history in level for h in next_histories(history)}
        level = [following[key] for key in following.keys() - seen]
        seen |= following.keys()
    assert 4_000 < len(seen)


def test_no_long_history_breaks_a_rule() -> None:
    """10,000 of 20 events each, by chance, the same in each run."""
    chance = random.Random(1)
    events = [*EVENTS.values()]
    # A caller comes about every other time, or little would happen.
    weights = [10 if event is History.ask else 1 for event in events]
    for _ in range(10_000):
        history = History()
        for event in chance.choices(events, weights, k=20):
            history.jitter = chance.choice((0.0, 0.5, 0.999))
            event(history)


@pytest.mark.parametrize("broken", ["expired", "two at once"])
def test_histories_find_a_rule_that_is_broken(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    row, column, action = {
        "expired": (Refresh.BACKING_OFF, Credentials.NONE, Action.SERVE),
        "two at once": (Refresh.PENDING, Credentials.NONE, Action.RUN),
    }[broken]
    monkeypatch.setitem(state.TABLE[row], column, action)
    with pytest.raises(AssertionError):
        test_no_short_history_breaks_a_rule()


# -- replacing a snapshot ----------------------------------------------------------------------


def test_only_one_of_two_replacements_counts() -> None:
    first, one, other = Snapshot(1), Snapshot(2), Snapshot(3)
    reference = Atomic(first)
    assert [True, False] == [reference.replace(first, one), reference.replace(first, other)]
    assert one is reference.read() is reference.newest


def test_a_thread_that_is_overtaken_leaves_the_newest_version() -> None:
    """Stopped between the replacement and the store of the reference."""
    first, second, third = Snapshot(1), Snapshot(2), Snapshot(3)
    reference = Atomic(first)
    assert reference.replace(first, second)
    reference.newest = first  # as the thread left it when it was stopped
    assert second is reference.read()
    assert reference.replace(second, third)
    reference.newest = second  # it goes on
    assert third is reference.read()
