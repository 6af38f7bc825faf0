from datetime import timedelta

import pytest
from fakes import START, credentials

from gcp_aws_bridge._refresh import RefreshPolicy, RefreshStatus

HOUR = timedelta(hours=1)
POLICY = RefreshPolicy()


@pytest.mark.parametrize(
    ("jitter", "minutes"), [(0.0, 27), (0.5, 33), (1.0, 39)], ids=["earliest", "middle", "latest"]
)
def test_background_refresh_is_due_around_half_of_the_life(jitter: float, minutes: int) -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, jitter)
    assert START + timedelta(minutes=minutes) == kept.advisory_at


def test_credentials_are_given_out_until_their_last_seconds() -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 0.0)
    assert START + HOUR - timedelta(seconds=10) == kept.mandatory_at


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        (0, RefreshStatus.NOT_NEEDED),
        (26.9, RefreshStatus.NOT_NEEDED),
        (27, RefreshStatus.ADVISORY),
        (59.8, RefreshStatus.ADVISORY),
        (59.84, RefreshStatus.MANDATORY),
        (61, RefreshStatus.MANDATORY),
    ],
)
def test_status_follows_the_clock(minutes: float, status: RefreshStatus) -> None:
    kept = POLICY.keep(credentials(1, START + HOUR), START, 0.0)
    assert status is kept.status(START + timedelta(minutes=minutes))


def test_credentials_shorter_than_the_last_seconds_are_never_given_out() -> None:
    end = START + timedelta(seconds=5)
    kept = POLICY.keep(credentials(1, end), START, 0.0)
    assert RefreshStatus.MANDATORY is kept.status(START)
