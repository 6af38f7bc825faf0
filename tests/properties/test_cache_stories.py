"""Named histories of the kind that test_cache_machine.py generates by the thousand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from properties.simulation import (
    LONGEST_WAIT_S,
    REJECTED_WAIT_S,
    STALLED_S,
    Answer,
    Call,
    Simulation,
)

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ExchangeError

HOUR_S = 3600.0
WALL_CLOCK, REPLACE = 1, 3  # steps of `get` up to there, with cached credentials


@pytest.fixture
def world() -> Iterator[Simulation]:
    world = Simulation()
    yield world
    world.close()


def get(world: Simulation, *, steps: int | None = None) -> Call:
    """Start a call of `get`, and run it for so many steps."""
    call = world.call("get", world.cache.get)
    assert call.task is not None
    if steps is None:
        world.run(call.task)
    else:
        for _ in range(steps):
            world.step(call.task)
    return call


def answer(world: Simulation, what: Answer) -> None:
    world.settle()
    world.pending.pop().answer = what
    world.settle()


def denied() -> ExchangeError:
    return ExchangeError("no", code="AccessDenied")


def have_credentials(world: Simulation, *, age_s: float) -> AwsCredentials:
    call = get(world)
    answer(world, HOUR_S)
    world.move(wall_s=age_s, monotonic_s=age_s)
    return result(call)


def result(call: Call) -> AwsCredentials:
    assert call.task is not None
    assert call.task.done
    assert isinstance(call.task.value, AwsCredentials), call.task.error
    return call.task.value


def test_callers_that_join_a_failed_refresh_do_not_retry_it(
    world: Simulation,
) -> None:
    have_credentials(world, age_s=HOUR_S / 2 + 1200)
    late = [get(world, steps=REPLACE) for _ in range(3)]
    get(world)
    (refresh,) = [task for task in world.scheduler.tasks if task not in [c.task for c in late]]
    world.run(refresh)
    world.pending.pop().answer = denied()
    world.run(refresh)
    world.settle()
    assert [] == world.pending


def test_credentials_that_expired_before_they_were_stored_are_not_returned(
    world: Simulation,
) -> None:
    call = get(world)
    world.settle()
    (request,) = world.pending
    request.answer = HOUR_S
    (task,) = [task for task in world.scheduler.tasks if task.ready]
    world.step(task)  # the answer has arrived, and is not stored yet
    world.move(wall_s=9 * HOUR_S, monotonic_s=0)  # the machine is suspended for a night
    world.pending = []
    world.settle()
    answer(world, HOUR_S)
    assert result(call).expiration > world.now


def test_forked_child_gets_rejected_credentials_if_no_others_exist(
    world: Simulation,
) -> None:
    have_credentials(world, age_s=HOUR_S / 2 + 1200)
    rejected = world.cache.snapshot.kept
    assert rejected is not None
    get(world)
    world.settle()
    world.call("reject", lambda: world.cache.reject(rejected.credentials.access_key_id))
    world.settle()
    world.pending.pop().answer = denied()
    (refresh,) = world.scheduler.tasks
    while world.judge.failed_s is None:
        world.step(refresh)
    world.fork()  # between the failure and the end of the attempt
    assert rejected.credentials == result(get(world))


def test_caller_that_waits_during_a_second_rejection_gets_the_credentials_after_3_s(
    world: Simulation,
) -> None:
    kept = have_credentials(world, age_s=0)

    def reject() -> None:
        call = world.call("reject", lambda: world.cache.reject(kept.access_key_id))
        assert call.task is not None
        world.run(call.task)

    reject()
    first, second = get(world), get(world)
    assert second.task is not None
    world.settle()  # the exchange begins, and both wait for it
    world.move(wall_s=LONGEST_WAIT_S, monotonic_s=LONGEST_WAIT_S)
    world.run(first.task)
    assert kept == result(first)
    # Time passed without a waiting caller, as in a frozen process: the attempt has 3 s more.
    world.move(wall_s=STALLED_S, monotonic_s=STALLED_S)
    assert kept == world.cache.peek()
    reject()
    world.run(second.task)
    assert not second.task.done
    world.move(wall_s=REJECTED_WAIT_S, monotonic_s=REJECTED_WAIT_S)
    world.run(second.task)
    assert kept == result(second)
