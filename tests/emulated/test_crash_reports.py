"""An exchange that ends in any error at any step: what leaves the library shows no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import crash_reports
import pytest
from crash_reports import KINDS, Secrets

import gcp_aws_bridge as bridge
from gcp_aws_bridge._registry import registry
from gcp_aws_bridge._world import World
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
TARGET = "arn:aws:iam::210987654321:role/target"


@pytest.fixture
def secrets(pod: Emulator) -> Iterator[Secrets]:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.add_role(TARGET, {"Version": "2012-10-17", "Statement": [statement]})
    with crash_reports.written_down() as found:
        yield found


@pytest.fixture
def in_this_thread(pod: Emulator) -> None:
    """Exchanges run in the thread that asks, where they can be traced, and pauses take no time."""
    registry.world = World(spawn=lambda work: work(), sleep=lambda seconds: None)


def anew() -> Any:
    registry.clear()
    return bridge.credentials(ROLE, chain=[TARGET])


def ask(made: Any) -> Callable[[], Any]:
    return lambda: made.get_frozen_credentials()


def ask_anew() -> None:
    anew().get_frozen_credentials()


@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_step_that_fails_shows_a_secret(secrets: Secrets, kind: Any) -> None:
    ask_anew()  # so that what is loaded once is loaded
    steps = crash_reports.steps(ask_anew)
    assert len(steps) > 150
    failures = 0
    for step in steps:
        made = anew()
        error = crash_reports.failing_at(step, kind, ask(made))
        if error is not None:
            failures += 1
            assert [] == crash_reports.leaks(error, secrets), step
            assert not crash_reports.remembered(made._cell, secrets), step
    assert failures > 50
