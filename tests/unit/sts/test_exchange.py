"""Order and results of the requests of an exchange, with a scripted STS."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from fakes import START, credentials

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.exchange import exchange
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.exceptions import ExchangeError, TokenError, TokenUnavailable

ROLE = Role("arn:aws:iam::123456789012:role/etl")
CHAINED = Role(
    "arn:aws:iam::123456789012:role/etl",
    chain=("arn:aws:iam::210987654321:role/a", "arn:aws:iam::333333333333:role/b"),
)


def id_token(**claims: Any) -> str:
    payload = {
        "iss": "https://accounts.google.com",
        "aud": "sts.amazonaws.com",
        "azp": "1",
        "sub": "1",
        "iat": int(START.timestamp()),
        "exp": int(START.timestamp()) + 3600,
        **claims,
    }
    parts = [json.dumps({"alg": "RS256"}), json.dumps(payload), "signature"]
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


class ScriptedSts:
    """Returns credentials with the given lifetimes in minutes, role by role."""

    def __init__(self, *minutes: float) -> None:
        self._minutes = iter(minutes)
        self.asked: list[object] = []

    def assume_role_with_web_identity(self, token: Any, role: Role) -> AwsCredentials:
        return self._give("web identity")

    def assume_role(self, previous: AwsCredentials, role: Role, position: int) -> AwsCredentials:
        return self._give((role.chain[position], previous.session_token))

    def _give(self, asked: object) -> AwsCredentials:
        self.asked.append(asked)
        return credentials(len(self.asked), START + timedelta(minutes=next(self._minutes)))


def run(source: Any, role: Role, sts: ScriptedSts) -> AwsCredentials:
    return exchange(source, role, sts, clock=lambda: START)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "earliest"), [((60, 50, 40), 40), ((30, 60, 60), 30), ((60, 20, 60), 20)]
)
def test_earliest_expiration_in_the_chain_counts(minutes: tuple[int, ...], earliest: int) -> None:
    got = run(id_token, CHAINED, ScriptedSts(*minutes))
    assert START + timedelta(minutes=earliest) == got.expiration


@pytest.mark.parametrize(
    ("own", "minutes", "end"),
    [
        ({"duration_seconds": 900}, (60, 15, 60), 60),  # the second: a shorter session
        ({"duration_seconds": 900}, (60, 15, 50), 50),
        ({"duration_seconds": 3600}, (15, 60, 15), 15),
        ({"external_id": "acme"}, (60, 20, 60), 20),
    ],
)
def test_previous_role_that_was_requested_for_a_shorter_time_does_not_count(
    own: dict[str, Any], minutes: tuple[int, ...], end: int
) -> None:
    first_s = 900 if own.get("duration_seconds") == 3600 else 3600
    chain = [ChainedRole(CHAINED.arns[1], **own), CHAINED.arns[2]]
    role = Role(ROLE.arn, chain=chain, duration_seconds=first_s)
    assert START + timedelta(minutes=end) == run(id_token, role, ScriptedSts(*minutes)).expiration


@pytest.mark.parametrize(("own_s", "end"), [(900, 15), (3600, 60)])
def test_life_is_at_most_the_duration_of_the_last_role(own_s: int, end: int) -> None:
    last = ChainedRole(CHAINED.arns[1], duration_seconds=own_s)
    role = Role(ROLE.arn, chain=[last], duration_seconds=1800)
    assert START + timedelta(minutes=end) == run(id_token, role, ScriptedSts(30, 70)).expiration


def test_a_clock_that_is_behind_gives_no_longer_life_than_was_asked_for() -> None:
    # STS answered an hour; by a clock ten minutes late that is an hour and ten.
    assert START + timedelta(hours=1) == run(id_token, ROLE, ScriptedSts(70)).expiration
    quarter = Role(ROLE.arn, duration_seconds=900)
    assert START + timedelta(minutes=15) == run(id_token, quarter, ScriptedSts(25)).expiration


def test_each_chained_role_is_assumed_with_the_previous_role() -> None:
    sts = ScriptedSts(60, 60, 60)
    got = run(id_token, CHAINED, sts)
    assert [
        "web identity",
        (CHAINED.chain[0], "token-1"),
        (CHAINED.chain[1], "token-2"),
    ] == sts.asked
    assert "token-3" == got.session_token


def test_the_source_is_asked_once() -> None:
    asked = []

    def source() -> str:
        asked.append(1)
        return id_token()

    run(source, CHAINED, ScriptedSts(60, 60, 60))
    assert [1] == asked


@pytest.mark.parametrize(
    ("token", "error_id"),
    [
        ("", "token/malformed"),
        ("<html>", "token/malformed"),
        (b"bytes", "token/malformed"),
        (None, "token/malformed"),
        ("a.b", "token/malformed"),
        (id_token()[:60], "token/malformed"),
        (id_token(aud="other"), "token/audience"),
        (id_token(exp=int(START.timestamp()) - 1), "token/expired"),
        (id_token(iat=int(START.timestamp()) + 900), "token/clock"),
    ],
)
def test_a_bad_token_never_reaches_sts(token: object, error_id: str) -> None:
    sts = ScriptedSts()
    with pytest.raises(TokenError) as caught:
        run(lambda: token, ROLE, sts)
    assert (error_id, []) == (caught.value.error_id, sts.asked)
    assert str(token or "?") not in str(caught.value)


def test_what_a_source_raises_of_ours_passes_as_it_is() -> None:
    def absent() -> str:
        raise TokenUnavailable("not here")

    with pytest.raises(TokenUnavailable, match="not here"):
        run(absent, ROLE, ScriptedSts())


def test_what_else_a_source_raises_is_named_but_not_quoted() -> None:
    def broken() -> str:
        raise RuntimeError("got eyJhbGciOi.secret")

    with pytest.raises(TokenError, match="source broken raised RuntimeError") as caught:
        run(broken, ROLE, ScriptedSts())
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_credentials_that_ended_before_they_came_blame_the_clock() -> None:
    with pytest.raises(ExchangeError, match="by this machine's clock") as caught:
        run(id_token, ROLE, ScriptedSts(-5))
    assert "exchange/clock" == caught.value.error_id


@pytest.mark.parametrize(("raised", "again"), [(ConnectionError(), True), (KeyError("x"), False)])
def test_a_network_that_fails_a_source_may_be_well_the_next_time(
    raised: Exception, again: bool
) -> None:
    def source() -> str:
        raise raised

    with pytest.raises(TokenError) as caught:
        exchange(source, ROLE, ScriptedSts(), clock=lambda: START)  # type: ignore[arg-type]
    assert again == caught.value.retryable
