"""The commands as they are installed, by the real clock: this takes as long as it takes.

The SDKs for C++ and Rust ask for other credentials in the last seconds only, so that these two have
to be waited for in any case.
"""

from __future__ import annotations

import contextlib
import sys
import time

import pytest

from gcp_aws_bridge.emulator import Fault

from .conftest import INSTALLED, PROGRAMS, Pod, talking

# Credentials with less than 60 s to live the bridge does not take.
LEFT_S, SHORTEST_S = 65, 900


def python(name: str) -> list[str]:
    return [sys.executable, str(PROGRAMS / name)]


@pytest.fixture
def short_lives(pod: Pod) -> None:
    """Sessions of AWS's minimum duration that expire soon, since the clouds' clock is set back.

    Our own is right, and takes no token from a server whose `Date` is off.
    """
    behind_s = SHORTEST_S - LEFT_S
    pod.travel_to(-behind_s)
    pod.cloud.metadata.inject(Fault.date(behind_s), times=None)
    pod.environ["GCP_AWS_BRIDGE_DURATION_SECONDS"] = str(SHORTEST_S)


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("short_lives")
def test_programs_continue_while_keys_are_replaced(pod: Pod) -> None:
    for module in ("pyarrow", "deltalake"):
        pytest.importorskip(module, reason="nox -s clients")
    execute = [*INSTALLED, "exec", "--"]
    says, first = {}, {}
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(pod.serving(INSTALLED))
        for name, command, more in (
            ("boto3 by exec", [*execute, *python("boto.py")], {}),
            ("boto3 by a profile", python("boto.py"), pod.profile(INSTALLED)),
            ("C++ by exec", [*execute, *python("arrow.py")], {}),
            ("C++ by serve", python("arrow.py"), served),
            ("Rust by exec", [*execute, *python("rust.py")], {}),
        ):
            says[name] = talking(stack.enter_context(pod.running(*command, **more)))
            first[name] = pod.signers(says[name])
        assert 5 * [1] == [len(keys) for keys in first.values()]
        while says:  # programs that still sign with the first credentials
            time.sleep(0.5)
            says = {name: say for name, say in says.items() if first[name] & pod.signers(say)}
    # Two sets for each `exec`, for `serve`, and for the processes of the profile.
    assert 5 * 2 * [200] == [request.status for request in pod.cloud.sts.requests]
