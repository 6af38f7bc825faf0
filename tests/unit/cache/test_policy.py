from datetime import timedelta

import pytest
from fakes import START, credentials

from gcp_aws_bridge._cache.policy import Failure, Instant, RefreshPolicy
from gcp_aws_bridge._cache.state import Credentials, credentials_of
from gcp_aws_bridge.exceptions import ExchangeError

HOUR = timedelta(hours=1)
POLICY = RefreshPolicy()


@pytest.mark.parametrize(
    ("jitter", "minutes"), [(0.0, 21), (0.5, 30), (1.0, 39)], ids=["earliest", "middle", "latest"]
)
def test_background_refresh_is_due_around_half_of_the_life(jitter: float, minutes: int) -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 0.0, jitter)
    assert START + timedelta(minutes=minutes) == kept.advisory_at


def test_credentials_are_returned_until_their_last_seconds() -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 0.0, 0.0)
    assert START + HOUR - timedelta(seconds=10) == kept.mandatory_at


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        (0, Credentials.FRESH),
        (20.9, Credentials.FRESH),
        (21, Credentials.STALE),
        (49.9, Credentials.STALE),
        (50.1, Credentials.ENDING),
        (59.8, Credentials.ENDING),
        (59.84, Credentials.NONE),
        (61, Credentials.NONE),
    ],
)
def test_status_follows_the_clock(minutes: float, status: Credentials) -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 0.0, 0.0)
    assert status is credentials_of(kept, Instant(START + timedelta(minutes=minutes), minutes * 60))


def test_credentials_shorter_than_the_last_seconds_are_never_returned() -> None:
    end = START + timedelta(seconds=5)
    kept = POLICY.keep(credentials(1, end), START, 0.0, 0.0)
    assert Credentials.NONE is credentials_of(kept, Instant(START, 0.0))


def test_a_wall_clock_that_is_set_back_gives_no_second_life() -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 100.0, 0.0)
    yesterday = START - timedelta(days=1)
    assert Credentials.FRESH is credentials_of(kept, Instant(yesterday, 100.0 + 1259))
    assert Credentials.STALE is credentials_of(kept, Instant(yesterday, 100.0 + 1260))
    assert Credentials.NONE is credentials_of(kept, Instant(yesterday, 100.0 + 3590))
    assert 1590.0 == kept.remaining_s(Instant(yesterday, 100.0 + 2000))


def test_a_machine_that_slept_finds_them_gone_though_its_monotonic_clock_stood_still() -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 100.0, 0.0)
    assert Credentials.NONE is credentials_of(kept, Instant(START + timedelta(hours=2), 100.0))
    assert 0.0 == kept.remaining_s(Instant(START + timedelta(hours=2), 100.0))


def test_rejected_credentials_are_not_returned_until_reprieved() -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 0.0, 0.0)
    assert Credentials.REJECTED is credentials_of(kept.as_rejected(), Instant(START, 0.0))
    assert Credentials.STALE is credentials_of(kept.as_rejected().reprieved(), Instant(START, 0.0))
    assert not kept.as_rejected().is_fresh(Instant(START, 0.0))


def pauses(*, remaining_s: float, failures: int = 10) -> list[float]:
    """The longest that may be drawn after each failure in a row."""
    failure: Failure | None = None
    longest = []
    for _ in range(failures):
        failure = POLICY.fail(ExchangeError("no"), failure, 0.0, 1.0, remaining_s=remaining_s)
        longest.append(failure.pause_s)
    return longest


def test_pauses_double_up_to_a_minute_while_time_is_short() -> None:
    assert [2, 4, 8, 16, 32, 60, 60] == pauses(remaining_s=400, failures=7)


def test_who_can_wait_out_an_outage_does_after_two_quick_retries() -> None:
    assert [2, 4, 3600, 3600] == pauses(remaining_s=4800 + 600, failures=4)


def test_with_nothing_valid_callers_hear_the_same_error_for_fifteen_seconds_at_most() -> None:
    failure: Failure | None = None
    for _ in range(10):
        failure = POLICY.fail(ExchangeError("no"), failure, 100.0, 1.0, remaining_s=0.0)
    assert failure is not None
    assert 115.0 == failure.remembered_until_s
