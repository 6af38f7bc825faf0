"""What `serve` and `exec` say of an outage: its first failure, and its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from fakes import Fetches, ManualWorld

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.events import on_event
from gcp_aws_bridge.cli._serving import Outages
from gcp_aws_bridge.exceptions import ExchangeError

ROLE = "arn:aws:iam::123456789012:role/etl"
AWAY = ExchangeError("STS is away.", error_id="exchange/unreachable", retryable=True)
DENIED = ExchangeError("STS denied it.", fix="allow it.", error_id="exchange/denied")


class Serving:
    """A cache that is read every ten seconds, and the lines about it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._world = ManualWorld()
        self._fetches = Fetches(self._world)
        self._cache = CredentialCache(self._fetches, label=ROLE, world=self._world.world)
        self._caplog = caplog

    def lines(self, minutes: int, failing: ExchangeError | None = None) -> list[str]:
        """What is said in so many minutes."""
        self._caplog.clear()
        self._fetches.failing = failing
        for _ in range(minutes * 6):
            self._cache.warm_up()
            self._world.advance(10)
        return [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def serving(caplog: pytest.LogCaptureFixture) -> Iterator[Serving]:
    caplog.set_level(logging.WARNING, "gcp_aws_bridge")
    stop = on_event(Outages())
    yield Serving(caplog)
    stop()


def test_error_is_logged_once_with_its_fix(serving: Serving) -> None:
    said = f"{ROLE}: no fresh credentials: STS denied it. Fix: allow it. [exchange/denied]"
    assert [said] == serving.lines(60, DENIED)
    assert [f"{ROLE}: recovered; valid for 3590 s"] == serving.lines(20)
    assert [] == serving.lines(60)


def test_outage_that_begins_in_the_background_is_logged_once(serving: Serving) -> None:
    assert [] == serving.lines(20)
    [line] = serving.lines(120, AWAY)
    assert f"{ROLE}: refresh failed; current credentials valid for" in line
    assert [f"{ROLE}: recovered; valid for 3590 s"] == serving.lines(1)


def test_another_error_in_the_same_outage_is_logged_too(serving: Serving) -> None:
    serving.lines(20)
    serving.lines(20, AWAY)
    [line] = serving.lines(60, DENIED)
    assert line.endswith("[exchange/denied]")
    assert [] == serving.lines(60, AWAY)
