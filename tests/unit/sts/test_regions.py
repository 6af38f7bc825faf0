"""STS in several regions: which region gets the next request, and what ends an outage."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fakes import START, ManualWorld, credentials

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._sts.regions import StsRegions
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ExchangeError

ROLE = Role("arn:aws:iam::123456789012:role/etl", sts_regions=["eu-west-1", "eu-central-1"])
TOKEN: Any = object()
Outage = tuple[str, str] | tuple[str, str, bool]
OUTAGES: dict[str, Outage] = {
    "unreachable": ("exchange/unreachable", "EndpointConnectionError"),
    "time-out": ("exchange/unreachable", "ReadTimeoutError"),
    "TLS": ("exchange/tls", "SSLError"),
    "overload": ("exchange/unavailable", "Throttling"),
    "failure": ("exchange/unavailable", "InternalFailure"),
    "cut short": ("exchange/garbage", "UnreadableAnswer"),
    "certificate": ("exchange/tls", "SSLError", False),
    "another server": ("exchange/garbage", "UnreadableAnswer", False),
}
DECISIONS = {
    "denied": ("exchange/denied", "AccessDenied", False),
    "expired token": ("exchange/expired-token", "ExpiredTokenException", True),
    "issuer not reached": ("exchange/unavailable", "IDPCommunicationError", True),
    "region disabled": ("exchange/region", "RegionDisabledException", False),
}


def error(error_id: str, code: str, retryable: bool = True) -> ExchangeError:
    return ExchangeError("Failed.", fix="wait.", error_id=error_id, code=code, retryable=retryable)


class Region:
    """A region that raises `error`, if it has one, or returns credentials."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.region_name = self.key = name
        self.health: Any = None
        self.error: ExchangeError | None = None
        self.meanwhile: Callable[[], object] = lambda: None  # happens while it answers
        self._asked = asked

    def assume_role_with_web_identity(self, token: Any, role: Role) -> Any:
        self._asked.append(self.region_name)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.error is not None:
            raise error(self.error.error_id, self.error.code, self.error.retryable)
        return credentials(len(self._asked), START)

    def assume_role(self, keys: Any, role: Role, position: int) -> Any:
        return self.assume_role_with_web_identity(keys, role)


class Regions:
    def __init__(self, *names: str) -> None:
        self.time = ManualWorld()
        self.asked: list[str] = []
        self.all = {name: Region(name, self.asked) for name in names}
        made: Any = list(self.all.values())
        self.sts = StsRegions(made).with_world(self.time.world)

    def ask(self) -> list[str]:
        """Return the regions that one request went to."""
        self.asked.clear()
        return self.ask_again()

    def ask_again(self) -> list[str]:
        """Return the same for a request while another is pending."""
        before = len(self.asked)
        self.sts.assume_role_with_web_identity(TOKEN, ROLE)
        return self.asked[before:]


@pytest.fixture
def two() -> Regions:
    return Regions("west", "central")


def test_first_region_gets_every_request_while_it_answers(two: Regions) -> None:
    assert [["west"]] * 3 == [two.ask() for _ in range(3)]


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=list(OUTAGES))
@pytest.mark.parametrize("chained", [False, True])
def test_outage_sends_the_request_to_the_next_region(
    two: Regions, outage: Outage, chained: bool, caplog: pytest.LogCaptureFixture
) -> None:
    two.all["west"].error = error(*outage)
    if chained:
        two.sts.assume_role(credentials(1, START), ROLE, 0)
    else:
        two.sts.assume_role_with_web_identity(TOKEN, ROLE)
    assert ["west", "central"] == two.asked
    assert [("WARNING", f"STS in west has an outage: {outage[1]}")] == [
        (record.levelname, record.getMessage()) for record in caplog.records
    ]
    assert ["central"] == two.ask()  # without another time-out


@pytest.mark.parametrize(("error_id", "code", "retryable"), DECISIONS.values(), ids=list(DECISIONS))
def test_decision_of_sts_is_not_appealed_in_another_region(
    two: Regions, error_id: str, code: str, retryable: bool
) -> None:
    two.all["west"].error = error(error_id, code, retryable)
    with pytest.raises(ExchangeError, match=error_id) as caught:
        two.ask()
    assert ["west"] == two.asked
    assert f"STS in west: {code}." == caught.value.details
    two.all["west"].error = None
    assert ["west"] == two.ask()


def test_failed_region_is_tried_again_after_a_growing_pause(
    two: Regions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="gcp_aws_bridge")
    two.time.jitter = 0.5
    west = two.all["west"]
    west.error = error(*OUTAGES["time-out"])
    two.ask()
    pauses = []
    for _ in range(8):
        pause_s = 0
        while two.ask() == ["central"]:
            pause_s += 10
            two.time.advance(10)
        assert ["west", "central"] == two.asked
        pauses.append(pause_s)
    assert pauses == sorted(pauses)
    assert 60 <= pauses[0] <= 120
    assert pauses[-1] <= 1800
    west.error = None
    two.time.advance(1801)
    assert ["west"] == two.ask()
    assert ["west"] == two.ask()
    assert 1 == sum(record.levelname == "WARNING" for record in caplog.records)
    assert "STS in west answers again" in caplog.text


def test_error_of_the_last_region_names_the_others(two: Regions) -> None:
    two.all["west"].error = error(*OUTAGES["time-out"])
    two.all["central"].error = error(*OUTAGES["overload"])
    with pytest.raises(ExchangeError) as caught:
        two.ask()
    assert "Throttling" == caught.value.code
    assert "STS in west: ReadTimeoutError. STS in central: Throttling." == caught.value.details
    assert caught.value.retryable
    two.all["west"].error = two.all["central"].error = None
    assert 1 == len(two.ask())


@pytest.mark.parametrize(
    ("first", "last", "is_retryable"),
    [
        (OUTAGES["failure"], OUTAGES["certificate"], True),
        (OUTAGES["certificate"], OUTAGES["failure"], True),
        (OUTAGES["certificate"], OUTAGES["certificate"], False),
        (OUTAGES["failure"], DECISIONS["denied"], False),
        (OUTAGES["certificate"], DECISIONS["issuer not reached"], True),
    ],
)
def test_error_is_retryable_if_a_region_may_recover(
    two: Regions, first: Outage, last: Outage, is_retryable: bool
) -> None:
    two.all["west"].error, two.all["central"].error = error(*first), error(*last)
    with pytest.raises(ExchangeError) as caught:
        two.ask()
    assert is_retryable == caught.value.retryable


def test_region_whose_pause_ends_first_is_tried_first_if_all_failed() -> None:
    three = Regions("a", "b", "c")
    for region in three.all.values():
        region.error = error(*OUTAGES["failure"])
    with pytest.raises(ExchangeError):
        three.ask()
    assert ["a", "b", "c"] == three.asked
    three.time.advance(1)
    with pytest.raises(ExchangeError):
        three.ask()
    assert sorted(three.asked) == ["a", "b", "c"]  # none is given up


def test_requests_that_fail_at_the_same_time_are_one_failure(two: Regions) -> None:
    """Otherwise one time-out of sixteen threads would end in a pause of half an hour."""
    west = two.all["west"]
    west.error = error(*OUTAGES["time-out"])

    def another() -> None:
        if len(two.asked) < 16:
            west.meanwhile = another
            two.ask_again()

    west.meanwhile = another
    two.ask_again()
    assert ["west"] * 16 == [name for name in two.asked if name == "west"]
    assert 1 == west.health.outage.number
    two.time.advance(120)  # the longest first pause
    assert ["west", "central"] == two.ask()
    assert 2 == west.health.outage.number


def test_only_one_request_tries_a_region_after_its_outage(two: Regions) -> None:
    west = two.all["west"]
    west.error = error(*OUTAGES["time-out"])
    two.ask()
    two.time.advance(120)
    asked: list[list[str]] = []
    west.meanwhile = lambda: asked.extend([two.ask_again(), two.ask_again()])
    two.ask()
    assert [["central"], ["central"]] == asked
    west.error = None
    two.time.advance(240)
    west.meanwhile = lambda: asked.append(two.ask_again())
    assert ["west", "central"] == two.ask()  # the second is of the other request
    assert ["west"] == two.ask()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_interrupted_trial_is_repeated(two: Regions, interruption: type[BaseException]) -> None:
    west = two.all["west"]
    west.error = error(*OUTAGES["time-out"])
    two.ask()
    two.time.advance(120)

    def interrupt() -> None:
        raise interruption

    west.meanwhile, west.error = interrupt, None
    with pytest.raises(interruption):
        two.ask()
    assert ["central"] == two.ask()
    two.time.advance(61)
    assert ["west"] == two.ask()
    two.time.advance(61)
    assert ["west"] == two.ask()  # no request is pending any more


def test_no_other_request_waits_for_a_region_that_is_slow(two: Regions) -> None:
    west = two.all["west"]
    asked: list[list[str]] = []

    def meanwhile() -> None:
        asked.append(two.ask_again())
        two.time.advance(1)
        asked.append(two.ask_again())

    west.meanwhile = meanwhile
    assert ["west", "west", "central"] == two.ask()
    assert [["west"], ["central"]] == asked
    assert ["west"] == two.ask()


def test_forked_child_keeps_outages_and_does_not_wait_for_requests_of_its_parent(
    two: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    west, child = two.all["west"], os.getpid() + 1
    asked: list[list[str]] = []

    def fork() -> None:
        two.time.advance(5)
        monkeypatch.setattr(os, "getpid", lambda: child)
        asked.append(two.ask_again())

    west.meanwhile = fork
    two.ask()
    assert [["west"]] == asked
    west.error = error(*OUTAGES["failure"])
    two.ask()
    monkeypatch.undo()
    assert ["central"] == two.ask()


def test_roles_with_the_same_regions_in_another_order_share_what_is_known(two: Regions) -> None:
    west, central = two.all.values()
    reverse: Any = StsRegions([central, west]).with_world(two.time.world)  # type: ignore[list-item]
    west.error = error(*OUTAGES["failure"])
    two.ask()
    assert ["central"] == two.ask()
    west.error, central.error = None, error(*OUTAGES["failure"])
    two.asked.clear()
    reverse.assume_role_with_web_identity(TOKEN, ROLE)
    assert ["central", "west"] == two.asked


def test_region_that_is_used_second_does_not_lose_its_trial(two: Regions) -> None:
    """A trial that is claimed and not made would keep the region last for ever."""
    west, central = two.all.values()
    central.error = west.error = error(*OUTAGES["failure"])
    with pytest.raises(ExchangeError):
        two.ask()
    west.error = None
    two.time.advance(7200)
    for _ in range(5):
        assert ["west"] == two.ask()
    west.error, central.error = error(*OUTAGES["failure"]), None
    assert ["west", "central"] == two.ask()
    assert ["central"] == two.ask()


def test_no_caller_waits_or_fails_while_one_region_is_down_for_hours(two: Regions) -> None:
    """One read a minute for eight hours; the preferred region is down for four of them."""
    time = two.time
    time.hold, time.jitter = True, 0.5  # refreshes in the background run between two reads

    def fetch() -> Any:
        two.sts.assume_role_with_web_identity(TOKEN, ROLE)
        return credentials(len(two.asked), time.now + timedelta(hours=1))

    cache = CredentialCache(fetch, label="etl", world=time.world)
    cache.get()
    for minute in range(480):
        down = 30 <= minute < 270
        two.all["west"].error = error(*OUTAGES["time-out"]) if down else None
        before = len(two.asked)
        cache.get()
        assert before == len(two.asked)  # the caller has made no request itself
        time.release()
        time.advance(60)
    # In four hours, 1 request to the region that is down for each refresh at most.
    assert {"west", "central"} == {*two.asked}
    assert "west" == two.asked[-1]
