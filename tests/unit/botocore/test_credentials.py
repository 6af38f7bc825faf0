"""Parts of credentials that are read one by one, as botocore's signer does."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import Fetches, ManualWorld

from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge.config import Role

MINUTES = 60


@pytest.fixture
def time() -> ManualWorld:
    return ManualWorld()


@pytest.fixture
def credentials(time: ManualWorld) -> BridgeCredentials:
    cache = CredentialCache(Fetches(time), world=time.world)
    role = Role("arn:aws:iam::123456789012:role/etl")
    wanted: Any = SimpleNamespace(at_least_s=0.0, role=role, cache=lambda: cache)
    return BridgeCredentials(wanted)


def whole(credentials: BridgeCredentials) -> tuple[str, ...]:
    return tuple(credentials.get_frozen_credentials()[:3])


def test_a_refresh_that_comes_between_waits_for_the_next_second(
    credentials: BridgeCredentials, time: ManualWorld
) -> None:
    first = whole(credentials)
    time.advance(40 * MINUTES)
    token = credentials.token  # and the refresh that is due is done at once
    second = whole(credentials)
    assert first != second
    assert first == (credentials.access_key, credentials.secret_key, token)
    time.advance(1)
    assert second == (credentials.access_key, credentials.secret_key, credentials.token)


def test_what_was_rejected_is_not_read_on(credentials: BridgeCredentials) -> None:
    key = credentials.access_key
    assert credentials.reject(key)
    assert key != credentials.access_key


def test_what_another_thread_rejected_and_replaced_is_not_read_on(
    credentials: BridgeCredentials,
) -> None:
    key = credentials.access_key

    def other() -> None:
        assert credentials.reject(credentials.access_key)
        credentials.get_frozen_credentials()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert credentials.reject(key)
    assert key != credentials.access_key
