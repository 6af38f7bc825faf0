"""A cache that takes up where another process's left off."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from fakes import START, Fetches, ManualWorld, credentials

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.policy import Memory
from gcp_aws_bridge._sts import persistence
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenUnavailable

REFUSED = ExchangeError(
    "STS denied it.", fix="ask.", error_id="exchange/denied", code="AccessDenied", request_id="7"
)


class Process:
    """One after the other, each with a cache of its own and a monotonic clock of its own."""

    def __init__(self) -> None:
        self.manual = ManualWorld()
        self.fetches = Fetches(self.manual)
        self.document: dict[str, Any] = {}

    def run(self) -> str:
        """One process: the key that it got."""
        cache = CredentialCache(self.fetches, world=self.manual.world)
        cache.recall(persistence.load(self.document, self.manual.world))
        try:
            cache.peek()
            return cache.get().access_key_id[-1]
        finally:
            self.document = json.loads(
                json.dumps(persistence.dump(cache.memory, self.manual.world))
            )
            self.manual._monotonic = 7 * self.manual._monotonic % 1000  # another boot, another zero


@pytest.fixture
def process() -> Process:
    return Process()


def test_the_next_process_has_what_the_last_one_got(process: Process) -> None:
    assert ["1", "1"] == [process.run(), process.run()]


def test_due_credentials_are_refreshed_immediately(process: Process) -> None:
    process.run()
    process.manual.advance(0.35 * 3600 - 1)
    assert "1" == process.run()
    process.manual.advance(1)
    assert "2" == process.run()


def test_while_sts_fails_it_is_served_to_the_last_seconds(process: Process) -> None:
    process.run()
    process.fetches.failing = REFUSED
    process.manual.advance(3589)
    assert "1" == process.run()
    process.manual.advance(1)
    with pytest.raises(ExchangeError, match="STS denied it"):
        process.run()


def test_a_back_off_goes_on_in_the_next_process(process: Process) -> None:
    process.run()
    process.fetches.failing = REFUSED
    process.manual.advance(3000)
    counts = []
    for _ in range(5):
        process.run()
        counts.append(process.fetches.count)
        process.manual.advance(0.9)
    assert [2, 2, 3, 3, 4] == counts  # base pauses of 1 s: jitter is 0 here


def test_with_nothing_valid_the_error_is_remembered_for_seconds(process: Process) -> None:
    process.fetches.failing = REFUSED
    errors = []
    for _ in range(3):
        with pytest.raises(ExchangeError) as caught:
            process.run()
        errors.append((str(caught.value), vars(caught.value)))
    assert 1 == process.fetches.count
    assert [(str(REFUSED), vars(REFUSED))] * 3 == errors


@pytest.mark.parametrize(
    "error",
    [
        REFUSED,
        ConfigError("a", fix="b", error_id="config/audience"),
        TokenUnavailable("a", fix="b", error_id="token/none"),
        ExchangeError("a", code="x", retryable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_whole_on_the_other_side(process: Process, error: Exception) -> None:
    process.fetches.failing = error
    for _ in range(2):
        with pytest.raises(type(error)):
            process.run()
    memory = persistence.load(process.document, process.manual.world)
    assert memory.failure is not None
    loaded = memory.failure.error
    assert (type(error), error.args, vars(error)) == (type(loaded), loaded.args, vars(loaded))


def test_nothing_is_a_document_too() -> None:
    world = ManualWorld().world
    assert Memory() == persistence.load(persistence.dump(Memory(), world), world)


def spoilt() -> list[Any]:
    process = Process()
    process.run()
    process.fetches.failing = REFUSED
    process.manual.advance(3000)
    process.run()
    documents = []
    for path in (
        ("credentials",),
        ("advisory_at",),
        ("mandatory_at",),
        ("failure",),
        *(("credentials", name) for name in process.document["credentials"]),
        *(("failure", name) for name in process.document["failure"]),
        *(("failure", "error", name) for name in ("kind", "summary")),
    ):
        for bad in (None, [], {}, "x", 1e300, float("nan")):
            document = copy.deepcopy(process.document)
            inner = document
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = bad
            documents.append(pytest.param(document, id=f"{'.'.join(path)}={bad}"))
    return documents


@pytest.mark.parametrize("document", spoilt())
def test_a_spoilt_document_never_is_another_error_and_never_half_of_credentials(
    document: dict[str, Any],
) -> None:
    manual = ManualWorld(START + timedelta(seconds=3000))
    memory = persistence.load(document, manual.world)
    cache = CredentialCache(Fetches(manual), world=manual.world)
    cache.recall(memory)
    got = cache.get()
    parts = (got.access_key_id, got.secret_access_key, got.session_token)
    assert all(isinstance(part, str) and part for part in parts)
    assert got.expiration > manual.now


def test_aws_spells_it_so() -> None:
    found = persistence.aws_json(credentials(1, START).__replace__(account_id="123456789012"))
    assert {
        "AccessKeyId": "ASIA0000000000000001",
        "SecretAccessKey": "secret-1",
        "SessionToken": "token-1",
        "Expiration": "2026-01-01T12:00:00Z",
        "AccountId": "123456789012",
    } == found
