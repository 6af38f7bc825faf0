"""A pod whose clock is ten minutes off gets an error that names it, with the time of a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.exceptions import CredentialRetrievalError

import gcp_aws_bridge as bridge
from faults.drive import ROLE
from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.exceptions import BridgeError

CHAINED_ARN = "arn:aws:iam::123456789012:role/chained"
Move = Callable[[float], None]
# Seconds that the clouds are ahead of the pod, and the text in the error.
OFF = pytest.mark.parametrize(
    ("ahead_s", "text"), [(600, "10 minutes behind"), (-600, "10 minutes ahead of")]
)


def failure(**settings: object) -> BridgeError:
    with pytest.raises(CredentialRetrievalError) as caught:
        bridge.credentials(ROLE, **settings).get_frozen_credentials()  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, BridgeError)
    return caught.value.__cause__


@pytest.fixture
def clouds_ahead(pod: Emulator) -> Move:
    """Return a function that moves the clouds' clock away from the machine's."""

    def move(seconds: float) -> None:
        pod.clock = lambda: utc_now() + timedelta(seconds=seconds)
        registry.world = World(sleep=lambda _: None)

    return move


# -- the metadata server -----------------------------------------------------------------------


@OFF
def test_date_of_the_metadata_server_shows_a_wrong_clock(
    pod: Emulator, ahead_s: float, text: str
) -> None:
    pod.metadata.inject(Fault.date(ahead_s))
    error = failure()
    assert "token/clock" == error.error_id
    assert f"{text} the server that gave it" in error.message
    assert (1, 0) == (len(pod.metadata.requests), len(pod.sts.requests))


@OFF
def test_wrong_clock_is_reported_for_a_stale_token(
    pod: Emulator, clouds_ahead: Move, ahead_s: float, text: str
) -> None:
    clouds_ahead(ahead_s)
    pod.metadata.inject(Fault.stale_token(30), times=None)  # it has expired by one of the clocks
    error = failure()
    assert "token/clock" == error.error_id
    assert f"{text} the server that gave it" in error.message
    assert 1 == len(pod.metadata.requests)  # no retry: another token would have the same times


@pytest.mark.parametrize("ahead_s", [240, -240])
def test_difference_of_four_minutes_is_accepted(pod: Emulator, ahead_s: float) -> None:
    pod.metadata.inject(Fault.date(ahead_s))
    pod.sts.inject(Fault.date(ahead_s))
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")


# -- STS, with a token source that has no clock ------------------------------------------------


def seconds_of(pod: Emulator, *, issued: float, ended: float) -> dict[str, int]:
    now = pod.clock().timestamp()
    return {"iat": int(now + issued), "exp": int(now + ended)}


def test_clock_that_is_behind_is_reported_for_an_expired_token(
    pod: Emulator, clouds_ahead: Move
) -> None:
    clouds_ahead(600)
    error = failure(token_source=lambda: pod.mint(**seconds_of(pod, issued=-3900, ended=-300)))
    assert "10 minutes behind" in error.message


@OFF
@pytest.mark.parametrize("code", ["ExpiredTokenException", "InvalidIdentityToken"])
def test_wrong_clock_is_reported_when_sts_rejects_a_token(
    pod: Emulator, code: str, ahead_s: float, text: str
) -> None:
    registry.world = World(sleep=lambda _: None)
    fault = dataclasses.replace(Fault.aws_error(code, "no"), date_skew_s=ahead_s)
    pod.sts.inject(fault, times=None)
    assert text in failure(token_source=pod.mint).message


@OFF
def test_wrong_clock_is_reported_when_sts_rejects_a_signature(
    pod: Emulator, clouds_ahead: Move, ahead_s: float, text: str
) -> None:
    clouds_ahead(ahead_s)
    pod.add_role(CHAINED_ARN)
    # The token is valid by either clock: only the signature shows the difference.
    error = failure(
        chain=[CHAINED_ARN],
        token_source=lambda: pod.mint(**seconds_of(pod, issued=-600, ended=3000)),
    )
    assert "SignatureDoesNotMatch" == getattr(error, "code", "")
    assert text in error.message
