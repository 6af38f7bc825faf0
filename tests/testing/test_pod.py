"""What a test can do with a pod, and what it can read off it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.exceptions import CredentialRetrievalError

import gcp_aws_bridge as bridge
from gcp_aws_bridge import testing
from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Fault, ServiceAccount
from gcp_aws_bridge.testing import GkePod
from gcp_aws_bridge.testing import gke_pod as entered

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::123456789012:role/other"


@pytest.fixture
def pod(gke_pod: GkePod) -> GkePod:
    gke_pod.add_role(ROLE)
    return gke_pod


def key(role: str | bridge.Role = ROLE) -> str:
    return bridge.credentials(role).get_frozen_credentials().access_key


def error_id(role: str = ROLE) -> str:
    with pytest.raises(CredentialRetrievalError) as raised:
        key(role)
    cause = raised.value.__cause__
    assert isinstance(cause, bridge.exceptions.BridgeError)
    return cause.error_id


# -- counters and time -------------------------------------------------------------------------


def test_counters_count_what_was_answered(pod: GkePod) -> None:
    assert (0, 0) == (pod.exchanges, pod.metadata_requests)
    pod.cloud.sts.inject(Fault.status(503))
    assert key() == key()
    assert (1, 2) == (pod.exchanges, pod.metadata_requests)
    pod.deny(ROLE)
    pod.expire()
    assert "exchange/denied" == error_id()
    assert (1, 3) == (pod.exchanges, pod.metadata_requests)


@pytest.mark.parametrize("step", [1, timedelta(seconds=1)])
def test_a_refresh_is_due_at_half_of_the_life_to_the_second(
    pod: GkePod, step: float | timedelta
) -> None:
    pod.freeze()
    first = key()
    pod.advance(1799)
    assert first == key()
    pod.settle()
    assert 1 == pod.exchanges
    pod.advance(step)
    assert first == key()
    pod.settle()
    assert 2 == pod.exchanges
    assert first != key()


def test_time_stands_still_when_it_is_told_to(pod: GkePod) -> None:
    before = pod.now
    instant = pod.freeze()
    assert before <= instant == pod.now == pod.cloud.clock()
    assert 0 == instant.microsecond
    assert timedelta(0) == instant.utcoffset()
    pod.advance(90)
    assert instant + timedelta(seconds=90) == pod.now == pod.freeze()


def test_credentials_end_to_the_second_of_a_time_that_stands_still(pod: GkePod) -> None:
    instant = pod.freeze()
    seen: list[bridge.Event] = []
    bridge.on_event(seen.append)
    key()
    pod.settle()
    [event] = seen
    assert instant + timedelta(hours=1) == event.expiration
    assert 3590.0 == event.remaining_s
    assert 0.0 == event.seconds


def test_credentials_of_twelve_hours_are_over_too(pod: GkePod) -> None:
    pod.add_role(ROLE, max_session_duration=43200)
    first = key(bridge.Role(ROLE, duration_seconds=43200))
    pod.expire()
    assert first != key(bridge.Role(ROLE, duration_seconds=43200))


def test_a_source_of_the_apps_own_goes_by_the_pods_time(pod: GkePod) -> None:
    source = bridge.MetadataServer()
    first = bridge.credentials(ROLE, token_source=source)
    held = first.access_key
    pod.advance(timedelta(days=3))
    assert held != first.get_frozen_credentials().access_key
    with pod.metadata_outage():
        pod.expire()
        with pytest.raises(CredentialRetrievalError, match="in 20 s"):
            first.get_frozen_credentials()


def test_signatures_are_taken_whatever_the_time(pod: GkePod) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.add_role(OTHER, {"Version": "2012-10-17", "Statement": [trust]})
    session = bridge.session(ROLE, chain=[OTHER], region_name="us-east-1")
    for _ in range(2):
        who = session.client("sts").get_caller_identity()["Arn"]
        assert who.startswith("arn:aws:sts::123456789012:assumed-role/other/")
        pod.advance(timedelta(days=1))
    assert 2 == pod.exchanges


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), timedelta(seconds=-1)])
def test_time_goes_ahead_only(pod: GkePod, seconds: float | timedelta) -> None:
    with pytest.raises(ValueError, match="only moves forward"):
        pod.advance(seconds)


# -- what is under way -------------------------------------------------------------------------


def test_what_is_under_way_is_waited_for(pod: GkePod) -> None:
    go = threading.Event()

    def source() -> str:
        go.wait(10)
        return pod.cloud.mint()

    credentials = bridge.credentials(ROLE, token_source=source)
    credentials.warm_up()
    for wait in (lambda: pod.settle(0.01), lambda: pod.settle(within_s=0)):
        with pytest.raises(TimeoutError, match="did not end within"):
            wait()
    go.set()
    pod.settle()
    assert 1 == pod.exchanges


def test_what_is_under_way_at_the_end_ends_in_the_pod() -> None:
    go, hosts = threading.Event(), []

    def source() -> str:
        go.wait(10)
        hosts.append(os.environ.get("GCE_METADATA_HOST"))
        return bridge.MetadataServer()()

    with entered() as pod:
        pod.add_role(ROLE)
        bridge.credentials(ROLE, token_source=source).warm_up()
        inside = os.environ["GCE_METADATA_HOST"]
        later = threading.Timer(0.1, go.set)
        later.start()
    later.join()
    assert [inside] == hosts


def test_time_does_not_pass_under_way(pod: GkePod) -> None:
    """An exchange that a jump of time made look endless would be given up, or not, by chance."""
    first = key()
    pod.advance(1800)
    pod.cloud.sts.latency_s = 0.2
    assert first == key()
    pod.advance(120)
    assert 2 == pod.exchanges


# -- troubles ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (GkePod.sts_outage, "exchange/unreachable"),
        (GkePod.metadata_outage, "token/none"),
        (lambda pod: pod.deny(ROLE), "exchange/denied"),
    ],
)
def test_a_trouble_begins_at_once_and_ends_with_its_block(
    pod: GkePod, trouble: Callable[[GkePod], object], expected: str
) -> None:
    begun = trouble(pod)
    assert expected == error_id()
    with begun:  # type: ignore[attr-defined]
        pod.advance(60)
        assert expected == error_id()
    pod.advance(60)
    assert key()


def test_troubles_of_one_kind_can_follow_one_another(pod: GkePod) -> None:
    for _ in range(2):
        with pod.sts_outage():
            pass
    pod.sts_outage()
    with pytest.raises(RuntimeError, match="down already"):
        pod.sts_outage()
    with pod.metadata_outage():
        pass


def test_a_role_is_given_back_as_it_was(pod: GkePod) -> None:
    pod.add_role(OTHER, audience="aws:123456789012:other", max_session_duration=7200)
    wanted = bridge.Role(OTHER, audience="aws:123456789012:other", duration_seconds=7200)
    with pod.deny(OTHER):
        assert key(ROLE)  # this role is not denied
    assert key(wanted)


def test_a_role_that_there_is_not_cannot_be_denied(pod: GkePod) -> None:
    with pytest.raises(KeyError, match="other"):
        pod.deny(OTHER)


def test_an_outage_goes_by_unnoticed(pod: GkePod) -> None:
    first = key()
    with pod.sts_outage(), pod.metadata_outage():
        pod.advance(3589)
        assert first == key()
        pod.settle()
    assert 1 == pod.exchanges


# -- without pytest ----------------------------------------------------------------------------


def test_a_process_is_in_one_pod_at_a_time(pod: GkePod) -> None:
    with pytest.raises(RuntimeError, match="in a pod already"), entered():
        pass
    assert key()  # and that one goes on


def test_a_pod_without_the_fixture_is_gone_after_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEDEVELOPER00")
    before = dict(os.environ)
    kept = []
    for _ in range(2):
        with pytest.raises(OSError, match="of the test"), entered() as pod:  # noqa: PT012
            pod.add_role(ROLE)
            kept = kept or [bridge.credentials(ROLE)]
            kept[0].get_frozen_credentials()
            assert 1 == pod.exchanges
            assert "AWS_REGION" not in os.environ
            os.environ["AWS_REGION"] = "of the test"
            pod.advance(60)
            pod.sts_outage()
            raise OSError("of the test")
        assert before == dict(os.environ)
        assert REAL is registry.world


def test_pod_has_the_service_account_of_the_emulator(pod: GkePod) -> None:
    assert isinstance(pod.cloud.service_account, ServiceAccount)
    assert repr(pod).startswith("<GkePod with <Emulator")


def test_a_failed_answer_of_the_emulator_is_told_and_leaks_nothing() -> None:
    before = dict(os.environ)

    def fail(*_: object) -> None:
        raise LookupError("of the emulator")

    def in_a_pod() -> None:
        with entered() as pod, pytest.MonkeyPatch.context() as patch:
            pod.add_role(ROLE)
            patch.setattr(pod.cloud.sts, "respond", fail)
            error_id()

    with pytest.raises(RuntimeError, match="failed while it answered"):
        in_a_pod()
    assert before == dict(os.environ)
    assert REAL is registry.world
    with entered() as pod:
        pod.add_role(ROLE)
        assert key()


def test_the_public_names() -> None:
    assert ["EksPod", "GkePod", "eks_pod", "gke_pod"] == testing.__all__
    assert all(getattr(testing, name).__doc__ for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        testing.other  # noqa: B018
