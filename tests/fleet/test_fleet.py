"""The goals of the refresh policy, with a fleet small enough for every run of the suite."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import ManualWorld, credentials

from fleet.simulation import (
    HOUR_S,
    NO_OUTAGE,
    Outage,
    Pod,
    PodWithRegions,
    Region,
    simulate,
    simulate_regions,
)
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.regions import StsRegions
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError

PODS = 4000  # with fewer, chance alone makes waves
HALF_S = HOUR_S / 2  # between two refreshes of credentials of an hour, on average


@pytest.mark.parametrize("outage", [Outage(0, 90), Outage(2400, 3000), Outage(2400, 9000)])
def test_simulated_pod_makes_the_requests_of_a_real_cache(outage: Outage) -> None:
    """The simulation makes the same requests as a real cache with the same random numbers."""
    manual, draws = ManualWorld(), random.Random(7)
    requests_s: list[float] = []

    def sts() -> AwsCredentials:
        now_s = manual.world.monotonic()
        requests_s.append(now_s)
        if outage.covers(now_s):
            raise ExchangeError("away", code="EndpointConnectionError", retryable=True)
        return credentials(len(requests_s), manual.now + timedelta(seconds=HOUR_S))

    cache = CredentialCache(sts, world=manual.world._replace(jitter=draws.random))
    pod, due_s = Pod(jitter=random.Random(7).random), 0.0
    expected: list[float] = []
    while due_s < 4 * HOUR_S:
        expected.append(due_s)
        due_s = pod.ask(due_s, answered=not outage.covers(due_s))
    while len(requests_s) < len(expected):
        with contextlib.suppress(BridgeError):
            cache.get()
        manual.advance(_until_next_event_s(cache, manual))
    assert pytest.approx(expected, abs=1e-3) == requests_s[: len(expected)]


def test_simulated_pod_with_regions_makes_the_requests_of_a_real_cache() -> None:
    outage = Outage(2000, 2000 + 2 * HOUR_S)
    asked: list[tuple[float, str]] = []
    manual, draws, chance = ManualWorld(), random.Random(7), random.Random(7)
    expected: list[tuple[float, str]] = []
    due_s = 0.0
    pod = PodWithRegions(
        [outage, NO_OUTAGE], lambda name: expected.append((due_s, name)), jitter=chance.random
    )
    while due_s < 5 * HOUR_S:
        due_s = pod.exchange(due_s)
    world = manual.world._replace(jitter=draws.random)
    regions: Any = [
        Region(name, covered, world.monotonic, lambda name: asked.append((world.monotonic(), name)))
        for name, covered in (("eu-west-1", outage), ("eu-central-1", NO_OUTAGE))
    ]
    sts: Any = StsRegions(regions, world)

    def exchange() -> AwsCredentials:
        sts.assume_role_with_web_identity(None, None)
        return credentials(len(asked), manual.now + timedelta(seconds=HOUR_S))

    cache = CredentialCache(exchange, world=world)
    while len(asked) < len(expected):
        cache.get()
        manual.advance(_until_next_event_s(cache, manual))
    times, names = zip(*expected, strict=True)
    assert names == tuple(name for _, name in asked[: len(expected)])
    assert pytest.approx(times, abs=1e-3) == [at_s for at_s, _ in asked[: len(expected)]]
    assert {"eu-west-1", "eu-central-1"} == {*names}


def test_outage_of_one_region_moves_the_load_to_the_other_without_a_burst() -> None:
    outage = Outage(6 * HOUR_S, 8 * HOUR_S)
    first, second = simulate_regions(PODS, outages=[outage, NO_OUTAGE], hours=11)
    steady = PODS / HALF_S
    assert 0 == first.without_s
    assert 0 == sum(second.per_second[: int(outage.start_s)])
    assert second.peak(outage.start_s, outage.end_s, over_s=300) <= 1.5 * steady
    assert first.peak(outage.end_s, 11 * HOUR_S, over_s=300) <= 1.5 * steady
    assert second.mean(outage.end_s + HOUR_S, 11 * HOUR_S) <= 0.01 * steady  # all have returned


def test_waves_of_pods_that_start_together_flatten() -> None:
    day = simulate(PODS, hours=12, start_within_s=10)
    steady = PODS / HALF_S
    assert day.peak(3 * HALF_S, 12 * HOUR_S, over_s=300) <= 1.5 * steady


@pytest.mark.parametrize(
    ("life_h", "away_s"), [(1, 600), (12, HOUR_S)], ids=["ten minutes", "an hour"]
)
def test_outage_shorter_than_the_lifetime_ends_without_a_burst(life_h: int, away_s: float) -> None:
    life_s = life_h * HOUR_S
    outage = Outage(6 * life_s, 6 * life_s + away_s)
    day = simulate(PODS, hours=8 * life_h, life_s=life_s, outage=outage)
    steady = PODS / (life_s / 2)
    assert day.peak(outage.end_s, 8 * life_s, over_s=int(life_s / 60)) <= 3 * steady
    assert 0 == day.without_s


def test_pods_recover_within_fifteen_seconds_after_a_longer_outage() -> None:
    outage = Outage(2 * HOUR_S, 4 * HOUR_S)
    day = simulate(1000, hours=5, outage=outage)
    assert day.mean(3 * HOUR_S, 4 * HOUR_S) * 60 / 1000 <= 8  # requests per pod and minute
    again = sum(day.per_second[int(outage.end_s) : int(outage.end_s) + 16])
    assert 1000 == again


def _until_next_event_s(cache: CredentialCache, manual: ManualWorld) -> float:
    """Return the seconds to the next instant at which a caller would cause an event."""
    now_s = manual.world.monotonic()
    instants = []
    if (kept := cache.snapshot.kept) is not None:
        instants += [kept.advisory_s, kept.mandatory_s]
    if (failure := cache.snapshot.failure) is not None:
        instants += [failure.retry_at_s, failure.remembered_until_s]
    return min((at - now_s for at in instants if at > now_s), default=0.0)


PAGE = Path(__file__).parents[2] / "docs/how-to/distributed.md"


@pytest.mark.exhaustive
@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_page_of_engines_has_the_simulated_costs() -> None:
    noon_s, end_s = 12 * HOUR_S, 15 * HOUR_S
    outage = Outage(noon_s, noon_s + 1800)
    day = simulate(1000, hours=15, outage=outage)
    settled_s = 1.5 * HOUR_S
    mean = sum(day.per_second[int(settled_s) : int(noon_s)]) / (noon_s - settled_s)
    first = day.peak(0.3 * HOUR_S, noon_s)
    during, after = day.peak(noon_s, outage.end_s), day.peak(outage.end_s, end_s)
    later = day.peak(outage.end_s + 60, end_s)
    text = PAGE.read_text(encoding="utf-8")
    assert f"| {mean:.2f} per second on average; {first:.1f} in the busiest minute |" in text
    assert f"| {during:.1f} per second in the busiest minute |" in text
    assert f"| {after:.1f} per second in the busiest minute; {later:.1f} a minute later |" in text


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("life_h", "minutes", "survives"), [(1, 20, True), (1, 30, False), (2, 30, True)]
)
def test_outage_after_which_the_page_of_engines_promises_credentials(
    life_h: int, minutes: int, survives: bool
) -> None:
    outage = Outage(12 * HOUR_S, 12 * HOUR_S + minutes * 60)
    day = simulate(1000, hours=15, life_s=life_h * HOUR_S, outage=outage)
    assert (day.without_s == 0.0) == survives
