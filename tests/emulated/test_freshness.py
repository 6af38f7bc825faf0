"""More than an hour of a pod's life over real HTTP, in which only the clock is simulated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError
from fakes import POLICY, Journey

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"


def soon(condition: Callable[[], bool]) -> bool:
    """Return whether *condition* becomes true within a few seconds of real time."""
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def refresh_completed(credentials: BridgeCredentials) -> bool:
    """Return whether no refresh is pending: time must not jump during one."""
    return soon(lambda: credentials._cache.snapshot.attempt is None)


def test_credentials_are_refreshed_early_in_the_background(pod: Emulator, journey: Journey) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.access_key
    journey.travel(minutes=20)  # a refresh comes between minutes 21 and 39
    assert first == credentials.access_key
    assert 1 == len(pod.sts.requests)

    pod.sts.latency_s = 0.2
    journey.travel(minutes=20)
    assert first == credentials.access_key
    assert all(r.status is None for r in pod.sts.requests[1:])  # STS has not answered yet
    assert soon(lambda: credentials.access_key != first)
    assert (2, 2) == (len(pod.sts.requests), len(pod.metadata.requests))


def test_all_sessions_share_one_refresh(pod: Emulator, journey: Journey) -> None:
    holders = [bridge.session(ROLE).get_credentials() for _ in range(5)]
    first = {h.access_key for h in holders if h}
    journey.travel(minutes=40)
    for holder in holders:
        assert holder is not None
        holder.get_frozen_credentials()
    assert soon(lambda: {h.access_key for h in holders if h}.isdisjoint(first))
    assert 1 == len({h.access_key for h in holders if h})
    assert 2 == len(pod.sts.requests)


def test_errors_of_sts_are_invisible_until_the_credentials_expire(
    pod: Emulator, journey: Journey
) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.access_key
    journey.travel(minutes=31)
    pod.sts.inject(Fault.aws_error("AccessDenied", "no", 403), times=None)
    for _ in range(28 * 6):
        journey.travel(seconds=10)
        assert first == credentials.access_key
        assert refresh_completed(credentials)
    journey.travel(seconds=55)
    with pytest.raises(CredentialRetrievalError, match="AccessDenied"):
        credentials.get_frozen_credentials()

    pod.sts.clear_faults()
    journey.travel(seconds=15)  # the longest time that an error is kept
    assert first != credentials.access_key


def test_credentials_are_refreshed_within_a_minute_after_an_outage(
    pod: Emulator, journey: Journey
) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.access_key
    journey.travel(minutes=40)
    with pod.sts.down():
        for _ in range(16 * 6):
            assert first == credentials.access_key
            assert refresh_completed(credentials)
            journey.travel(seconds=10)
    journey.travel(seconds=60)
    credentials.get_frozen_credentials()
    assert soon(lambda: credentials.access_key != first)


def test_expired_credentials_are_not_returned_after_a_suspend(
    pod: Emulator, journey: Journey
) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.access_key
    journey.travel(hours=9)
    assert first != credentials.access_key


def test_waiting_threads_share_one_request_and_its_error(pod: Emulator) -> None:
    pod.remove_role(ROLE)
    pod.sts.latency_s = 0.1
    credentials = bridge.credentials(ROLE)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            credentials.get_frozen_credentials()
        except CredentialRetrievalError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (200, 1) == (len(errors), len(pod.sts.requests))
    assert 200 == len({id(error.__cause__) for error in errors})


def test_a_new_pod_waits_for_its_metadata_server(pod: Emulator) -> None:
    down = pod.metadata.down()
    down.__enter__()
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 3:
            down.__exit__(None, None, None)

    registry.world = World(sleep=sleep)
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")
    assert 3 == len(sleeps)
    assert all(0.1 <= pause <= 2 for pause in sleeps)


def test_cached_id_token_near_its_expiration_is_requested_again(pod: Emulator) -> None:
    sleeps: list[float] = []
    registry.world = World(sleep=sleeps.append)
    pod.metadata.inject(Fault.stale_token(20), times=2)
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")
    assert (3, 2, 1) == (len(pod.metadata.requests), len(sleeps), len(pod.sts.requests))


def test_exchange_succeeds_after_a_rotation_of_signing_keys(
    pod: Emulator, journey: Journey
) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.access_key
    pod.rotate_signing_key()
    journey.travel(hours=2)
    assert first != credentials.access_key


def test_credentials_are_refreshable_credentials_of_botocore(pod: Emulator) -> None:
    session = bridge.session(ROLE, region_name="us-east-1")
    credentials = session.get_credentials()
    assert isinstance(credentials, RefreshableCredentials)
    assert credentials.refresh_needed() is False
    frozen = credentials.get_frozen_credentials()
    # Recipes that copy credentials into a session of their own get working ones.
    copied = boto3.Session(frozen.access_key, frozen.secret_key, frozen.token)
    arn = copied.client("sts", region_name="us-east-1").get_caller_identity()["Arn"]
    assert "assumed-role/etl" in arn


def test_memory_of_many_session_policies_is_bounded(pod: Emulator) -> None:
    from gcp_aws_bridge._cache.sharing import MAX_CACHES

    kept = bridge.credentials(ROLE, policy=POLICY)
    for number in range(MAX_CACHES + 100):
        bridge.credentials(ROLE, policy={**POLICY, "Id": str(number)})
    assert MAX_CACHES == len(registry._caches.values())
    assert kept.access_key.startswith("ASIA")  # no longer in the registry, and still refreshed
