"""A pod whose clock is ten minutes off hears of it: from the metadata server, or from STS."""

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

HOP = "arn:aws:iam::123456789012:role/hop"
Move = Callable[[float], None]
# Seconds that the clouds are ahead of the pod, and what is then to be read.
OFF = pytest.mark.parametrize(
    ("ahead_s", "said"), [(600, "10 minutes behind"), (-600, "10 minutes ahead of")]
)


def failure(**settings: object) -> BridgeError:
    with pytest.raises(CredentialRetrievalError) as caught:
        bridge.credentials(ROLE, **settings).get_frozen_credentials()  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, BridgeError)
    return caught.value.__cause__


@pytest.fixture
def clouds_ahead(pod: Emulator) -> Move:
    """Moves both clouds' clock away from this machine's, by which botocore signs."""

    def move(seconds: float) -> None:
        pod.clock = lambda: utc_now() + timedelta(seconds=seconds)
        registry.world = World(sleep=lambda _: None)

    return move


# -- the metadata server -----------------------------------------------------------------------


@OFF
def test_date_of_the_metadata_server_tells_that_the_pods_clock_is_off(
    pod: Emulator, ahead_s: float, said: str
) -> None:
    pod.metadata.inject(Fault.date(ahead_s))
    error = failure()
    assert "token/clock" == error.error_id
    assert f"{said} the server that gave it" in error.message
    assert (1, 0) == (len(pod.metadata.requests), len(pod.sts.requests))


@OFF
def test_clock_that_is_off_is_said_whatever_the_token_looks_like(
    pod: Emulator, clouds_ahead: Move, ahead_s: float, said: str
) -> None:
    clouds_ahead(ahead_s)
    pod.metadata.inject(Fault.stale_token(30), times=None)  # by one of the clocks it has ended
    error = failure()
    assert "token/clock" == error.error_id
    assert f"{said} the server that gave it" in error.message
    assert 1 == len(pod.metadata.requests)  # not waited for: another token would be no better


@pytest.mark.parametrize("ahead_s", [240, -240])
def test_four_minutes_are_let_pass(pod: Emulator, ahead_s: float) -> None:
    pod.metadata.inject(Fault.date(ahead_s))
    pod.sts.inject(Fault.date(ahead_s))
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")


# -- STS, where the token source has no clock --------------------------------------------------


def seconds_of(pod: Emulator, *, issued: float, ended: float) -> dict[str, int]:
    now = pod.clock().timestamp()
    return {"iat": int(now + issued), "exp": int(now + ended)}


def test_sts_tells_that_the_clock_is_behind_when_a_token_has_ended(
    pod: Emulator, clouds_ahead: Move
) -> None:
    clouds_ahead(600)
    error = failure(token_source=lambda: pod.mint(**seconds_of(pod, issued=-3900, ended=-300)))
    assert "10 minutes behind" in error.message


@OFF
@pytest.mark.parametrize("code", ["ExpiredTokenException", "InvalidIdentityToken"])
def test_sts_tells_that_the_clock_is_off_when_it_refuses_a_token(
    pod: Emulator, code: str, ahead_s: float, said: str
) -> None:
    registry.world = World(sleep=lambda _: None)
    fault = dataclasses.replace(Fault.aws_error(code, "no"), date_skew_s=ahead_s)
    pod.sts.inject(fault, times=None)
    assert said in failure(token_source=pod.mint).message


@OFF
def test_sts_tells_that_the_clock_is_off_when_it_refuses_a_signature(
    pod: Emulator, clouds_ahead: Move, ahead_s: float, said: str
) -> None:
    clouds_ahead(ahead_s)
    pod.add_role(HOP)
    # Nothing about the token is wrong by either clock: only the signature shows it.
    error = failure(
        chain=[HOP], token_source=lambda: pod.mint(**seconds_of(pod, issued=-600, ended=3000))
    )
    assert "SignatureDoesNotMatch" == getattr(error, "code", "")
    assert said in error.message
