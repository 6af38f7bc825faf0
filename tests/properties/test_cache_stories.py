"""Stories of the kind that test_cache_machine.py tells by the thousand: those worth a name."""

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
WALL_CLOCK, REPLACE = 1, 3  # how many steps `get` takes to stop there, where something is kept


@pytest.fixture
def world() -> Iterator[Simulation]:
    world = Simulation()
    yield world
    world.close()


def get(world: Simulation, *, steps: int | None = None) -> Call:
    """Somebody asks for credentials, and comes as far as that."""
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
    world.asking.pop().answer = what
    world.settle()


def refused() -> ExchangeError:
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


def test_callers_on_their_way_to_a_refresh_that_fails_do_not_each_try_again(
    world: Simulation,
) -> None:
    have_credentials(world, age_s=HOUR_S / 2 + 1200)
    late = [get(world, steps=REPLACE) for _ in range(3)]
    get(world)
    (flight,) = [task for task in world.scheduler.tasks if task not in [c.task for c in late]]
    world.run(flight)
    world.asking.pop().answer = refused()
    world.run(flight)
    world.settle()
    assert [] == world.asking


def test_what_ended_on_its_way_to_the_cell_is_not_given_out(world: Simulation) -> None:
    call = get(world)
    world.settle()
    (flight,) = world.asking
    flight.answer = HOUR_S
    (task,) = [task for task in world.scheduler.tasks if task.ready]
    world.step(task)  # the answer has come; it is about to be kept
    world.move(wall_s=9 * HOUR_S, monotonic_s=0)  # the lid is closed, and opened in the morning
    world.asking = []
    world.settle()
    answer(world, HOUR_S)
    assert result(call).expiration > world.now


def test_a_forked_child_gets_what_was_rejected_where_there_is_nothing_else(
    world: Simulation,
) -> None:
    have_credentials(world, age_s=HOUR_S / 2 + 1200)
    rejected = world.cache.snapshot.kept
    assert rejected is not None
    get(world)
    world.settle()
    world.call("reject", lambda: world.cache.reject(rejected.credentials.access_key_id))
    world.settle()
    world.asking.pop().answer = refused()
    (flight,) = world.scheduler.tasks
    while world.judge.failed_s is None:
        world.step(flight)
    world.fork()  # between the failure and its end
    assert rejected.credentials == result(get(world))


def test_caller_who_waits_while_it_is_rejected_again_gets_it_3_s_later(world: Simulation) -> None:
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
    # Time went by that nobody waited, as in a frozen process: the attempt has 3 s more.
    world.move(wall_s=STALLED_S, monotonic_s=STALLED_S)
    assert kept == world.cache.peek()
    reject()
    world.run(second.task)
    assert not second.task.done
    world.move(wall_s=REJECTED_WAIT_S, monotonic_s=REJECTED_WAIT_S)
    world.run(second.task)
    assert kept == result(second)
