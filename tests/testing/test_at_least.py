"""Callers who say for how long they need credentials, by each way that takes `at_least`."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.cli import _cached, _parser
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.testing import GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"
Ask = Callable[[], object]


def of_credentials(at_least: float) -> Ask:
    return bridge.credentials(ROLE, at_least=at_least).get_frozen_credentials


def of_parts(at_least: float) -> Ask:
    credentials = bridge.credentials(ROLE, at_least=at_least)
    return lambda: (credentials.access_key, credentials.secret_key, credentials.token)


def of_pickled(at_least: float) -> Ask:
    made = pickle.loads(pickle.dumps(bridge.credentials(ROLE, at_least=at_least)))
    return made.get_frozen_credentials  # type: ignore[no-any-return]


def of_aiobotocore(at_least: float) -> Ask:
    pytest.importorskip("aiobotocore")
    from gcp_aws_bridge import aio

    credentials = aio.credentials(ROLE, at_least=at_least)
    return lambda: asyncio.run(credentials.get_frozen_credentials())


WAYS = [of_credentials, of_parts, of_pickled, of_aiobotocore]


@pytest.mark.parametrize(("at_least", "exchanges"), [(0, 1), (1700, 1), (1900, 2), (math.inf, 2)])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_credentials_with_less_life_are_replaced_before_they_are_given(
    gke_pod: GkePod, way: Callable[[float], Ask], at_least: float, exchanges: int
) -> None:
    gke_pod.add_role(ROLE)
    bridge.credentials(ROLE).get_frozen_credentials()
    ask = way(at_least)
    gke_pod.advance(1790)  # 1810 s are left; a refresh is due at 1800
    before = ask()
    assert exchanges == gke_pod.exchanges
    assert before is not None
    ask()
    assert exchanges == gke_pod.exchanges


@pytest.mark.parametrize("bad", [-1, math.nan, "1800", None, True])
@pytest.mark.parametrize("make", [bridge.credentials, Adapter])
def test_what_is_no_number_of_seconds_is_an_error(
    gke_pod: GkePod, make: Callable[..., object], bad: Any
) -> None:
    with pytest.raises(ConfigError, match=r"at_least is .*\[config/at-least\]"):
        make(ROLE, at_least=bad)


def test_two_that_need_credentials_for_other_times_are_not_taken_for_one() -> None:
    assert repr(Adapter(ROLE)) != repr(Adapter(ROLE, at_least=60))


# -- commands ------------------------------------------------------------------------------------


@pytest.fixture
def command(
    gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> Callable[..., dict[str, str]]:
    """Run `env` or `credential-process`, as a process that starts with nothing in memory."""
    gke_pod.add_role(ROLE)
    gke_pod.freeze()

    def run(name: str, *arguments: str) -> dict[str, str]:
        registry.clear()
        given = [name, "--role-arn", ROLE, "--cache-dir", str(tmp_path), *arguments]
        options = _parser(given).parse_args(given)
        return _cached.credentials(options, world=registry.world)

    return run


@pytest.mark.parametrize("name", ["env", "credential-process"])
@pytest.mark.parametrize(("at_least", "exchanges"), [("1700", 1), ("1900", 2), ("inf", 2)])
def test_command_replaces_what_its_file_has_for_too_short_a_time(
    gke_pod: GkePod,
    command: Callable[..., dict[str, str]],
    name: str,
    at_least: str,
    exchanges: int,
) -> None:
    first = command(name)
    gke_pod.advance(1790)
    assert first == command(name)  # what is valid will do
    found = command(name, "--at-least", at_least)
    assert exchanges == gke_pod.exchanges
    assert (exchanges == 1) == (first == found)
    assert found == command(name)  # it is kept for the next process
    assert exchanges == gke_pod.exchanges


@pytest.mark.parametrize("name", ["env", "credential-process"])
def test_command_without_a_file_asks_for_no_more_than_there_is(
    gke_pod: GkePod, command: Callable[..., dict[str, str]], name: str
) -> None:
    assert json.dumps(command(name, "--no-cache", "--at-least", "9000"))
    assert 1 == gke_pod.exchanges


@pytest.mark.parametrize("name", ["env", "credential-process"])
def test_command_that_cannot_get_enough_fails_and_keeps_what_is_valid(
    gke_pod: GkePod, command: Callable[..., dict[str, str]], name: str
) -> None:
    first = command(name)
    gke_pod.advance(1790)
    with gke_pod.sts_outage(), pytest.raises(bridge.exceptions.ExchangeError):
        command(name, "--at-least", "1900")
    assert first["AccessKeyId"] == command(name)["AccessKeyId"]


@pytest.mark.parametrize("bad", ["-1", "nan", "soon", ""])
@pytest.mark.parametrize("name", ["env", "credential-process"])
def test_command_says_what_is_no_number_of_seconds(
    command: Callable[..., dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    name: str,
    bad: str,
) -> None:
    with pytest.raises(SystemExit) as caught:
        command(name, f"--at-least={bad}")
    assert 2 == caught.value.code
    assert "argument --at-least: " in capsys.readouterr().err
