"""STS in two regions: an outage of one of them is not noticed, and a denial is a denial."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import botocore.session
import commands
import pytest
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError
from doctor import sockets
from fakes import Journey, eventually
from two_regions import BOTH, CENTRAL, REGIONS, WEST, data_path, second_sts

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._sts.client import CONFIG, Sts
from gcp_aws_bridge.cli import _serving, serve
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.emulator.sts import STS
from gcp_aws_bridge.exceptions import ExchangeError

ROLE = "arn:aws:iam::123456789012:role/etl"
TARGET = "arn:aws:iam::123456789012:role/reader"
OUTAGES = {
    "hangs": Fault.hang(60),
    "is reset": Fault.reset(),
    "is cut short": Fault.truncated(),
    "500": Fault.status(500),
    "503 of AWS": Fault.aws_error("ServiceUnavailable", "", 503),
    "503 of a load balancer": Fault.html(503),
    "throttles": Fault.aws_error("Throttling", "Rate exceeded", 400),
    "429": Fault.status(429),
    "another server: a page": Fault.html(403),
    "another server: a redirect": Fault.redirect("https://login.example.com/"),
}
DENIALS = {
    "denied": ("AccessDenied", 403),
    "region disabled": ("RegionDisabledException", 403),
    "malformed policy": ("MalformedPolicyDocument", 400),
}


class TwoRegions(NamedTuple):
    """STS in the preferred region and in the other one, and the roles of both."""

    west: STS
    central: STS
    cloud: Emulator

    @property
    def asked(self) -> tuple[int, int]:
        """Number of requests to each."""
        return len(self.west.requests), len(self.central.requests)


@pytest.fixture
def two(
    pod: Emulator, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TwoRegions]:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # no region of STS
    with second_sts(pod) as central:
        path = data_path(tmp_path / "data", {WEST: pod.sts.url, CENTRAL: central.url})
        monkeypatch.setenv("AWS_DATA_PATH", path)
        yield TwoRegions(pod.sts, central, pod)


def short_time_outs(monkeypatch: pytest.MonkeyPatch) -> None:
    short = CONFIG.merge(Config(connect_timeout=1, read_timeout=1))
    monkeypatch.setattr(Sts.__init__, "__defaults__", (short, None))


def key_of(session: Any) -> str:
    return str(session.get_credentials().get_frozen_credentials().access_key)


# -- the first credentials and refreshes ---------------------------------------------------------


def test_preferred_region_gets_every_request_while_it_answers(two: TwoRegions) -> None:
    key_of(bridge.session(ROLE, sts_regions=REGIONS))
    key_of(bridge.session(ROLE, sts_regions=REGIONS, role_session_name="other"))
    assert (2, 0) == two.asked
    key_of(bridge.session(ROLE, sts_regions=REGIONS[::-1]))
    assert (2, 1) == two.asked


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=list(OUTAGES))
def test_first_credentials_come_from_the_other_region(
    two: TwoRegions, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_time_outs(monkeypatch)
    two.west.inject(fault, times=None)
    assert key_of(bridge.session(ROLE, sts_regions=REGIONS)).startswith("ASIA")
    assert (1, 1) == two.asked
    for number in range(3):  # no other role waits for the region that is down
        key_of(bridge.session(ROLE, sts_regions=REGIONS, role_session_name=f"tenant-{number}"))
    assert (1, 4) == two.asked


def test_first_credentials_come_from_the_other_region_if_one_refuses_connections(
    two: TwoRegions,
) -> None:
    with two.west.down():
        assert key_of(bridge.session(ROLE, sts_regions=REGIONS)).startswith("ASIA")
    assert (0, 1) == two.asked


def test_first_credentials_come_from_the_other_region_if_a_certificate_is_not_trusted(
    two: TwoRegions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sockets.tls(tmp_path) as url:
        path = data_path(tmp_path / "tls", {WEST: url, CENTRAL: two.central.url})
        monkeypatch.setenv("AWS_DATA_PATH", path)
        assert key_of(bridge.session(ROLE, sts_regions=REGIONS)).startswith("ASIA")
    assert (0, 1) == two.asked


@pytest.mark.parametrize("fault", [*OUTAGES.values(), None], ids=[*OUTAGES, "refuses connections"])
def test_refresh_comes_from_the_other_region_and_no_caller_waits(
    two: TwoRegions, journey: Journey, fault: Fault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_time_outs(monkeypatch)
    session = bridge.session(ROLE, sts_regions=REGIONS)
    first = key_of(session)
    if fault is None:
        two.west.stop()
    else:
        two.west.inject(fault, times=None)
    journey.travel(minutes=40)
    assert first == key_of(session)  # immediately
    eventually(lambda: key_of(session) != first)
    assert 1 == len(two.central.requests)


def test_preferred_region_is_used_again_after_its_outage(
    two: TwoRegions, journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="gcp_aws_bridge")
    regions: list[str] = []
    stop = bridge.on_event(lambda event: regions.append(event.region))
    session = bridge.session(ROLE, sts_regions=REGIONS)
    keys = {key_of(session)}
    with two.west.down():
        for _ in range(4):  # two hours
            journey.travel(minutes=40)
            before = key_of(session)
            eventually(lambda before=before: key_of(session) != before)  # type: ignore[misc]
            keys.add(key_of(session))
    assert (5, 4) == (len(keys), len(two.central.requests))
    journey.travel(minutes=40)
    before = key_of(session)
    eventually(lambda: key_of(session) != before)
    assert (2, 4) == two.asked
    eventually(lambda: len(regions) == 6)
    stop()
    assert [WEST, *[CENTRAL] * 4, WEST] == regions
    seen = [record.getMessage() for record in caplog.records if "STS in" in record.getMessage()]
    assert [
        f"STS in {WEST} has an outage: EndpointConnectionError",
        f"STS in {WEST} answers again",
    ] == seen


@pytest.mark.parametrize(("code", "status"), DENIALS.values(), ids=list(DENIALS))
def test_denial_is_not_appealed_in_the_other_region(
    two: TwoRegions, code: str, status: int
) -> None:
    two.west.inject(Fault.aws_error(code, "", status), times=None)
    with pytest.raises(CredentialRetrievalError) as caught:
        key_of(bridge.session(ROLE, sts_regions=REGIONS))
    error = caught.value.__cause__
    assert isinstance(error, ExchangeError)
    assert f"STS in {WEST}: {code}." in error.details
    assert (1, 0) == two.asked


def test_error_names_both_regions_if_both_are_down(two: TwoRegions) -> None:
    two.west.inject(Fault.status(503), times=None)
    two.central.inject(Fault.aws_error("Throttling", "", 400), times=None)
    with pytest.raises(CredentialRetrievalError) as caught:
        key_of(bridge.session(ROLE, sts_regions=REGIONS))
    error = caught.value.__cause__
    assert isinstance(error, ExchangeError)
    for seen in (f"STS in {WEST}: UnreadableAnswer.", f"STS in {CENTRAL}: Throttling."):
        assert seen in error.details
    assert (4, 4) == two.asked


@pytest.mark.parametrize("is_hooked", [False, True], ids=["own requests", "botocore's client"])
def test_chained_role_is_assumed_in_the_other_region(
    two: TwoRegions, is_hooked: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Also checks the signature, which is for one region."""
    policy = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    policy["Condition"] = {"StringEquals": {"aws:RequestedRegion": CENTRAL}}  # type: ignore[assignment]
    two.cloud.add_role(TARGET, {"Version": "2012-10-17", "Statement": [policy]})
    if is_hooked:
        urls = {WEST: two.west.url, CENTRAL: two.central.url}
        data_path(Path(os.environ["AWS_DATA_PATH"]), urls, rules=True)
    session = botocore.session.Session()
    if is_hooked:
        session.register("before-call.sts.AssumeRole", lambda **_: None)
    caplog.set_level("DEBUG", logger="gcp_aws_bridge")
    two.west.inject(Fault.status(503), times=None, action="AssumeRole")
    bridge.register(session, bridge.Role(ROLE, chain=[TARGET], sts_regions=REGIONS))
    assert key_of(session).startswith("ASIA")
    assert is_hooked == ("botocore's client sends the requests" in caplog.text)
    actions = [[request.action for request in sts.requests] for sts in (two.west, two.central)]
    assert [["AssumeRoleWithWebIdentity", "AssumeRole"], ["AssumeRole"]] == actions


# -- one address for all regions -----------------------------------------------------------------


def test_endpoint_that_is_configured_is_asked_once(
    pod: Emulator, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="gcp_aws_bridge")
    pod.sts.inject(Fault.aws_error("Throttling", "", 400))
    key_of(bridge.session(ROLE, sts_regions=REGIONS))
    assert 2 == len(pod.sts.requests)
    assert f"STS in {CENTRAL} is {pod.sts.url} too; it is no second server" in caplog.text


def test_global_endpoint_is_one_server(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="gcp_aws_bridge")
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    bridge.credentials(ROLE, sts_regions=["us-west-2", "us-east-2", "eu-south-1"])
    assert "STS in us-east-2 is https://sts.amazonaws.com too" in caplog.text
    assert "eu-south-1 is" not in caplog.text


# -- entry points --------------------------------------------------------------------------------


def by_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    text = f"[profile etl]\ngcp_role_arn = {ROLE}\ngcp_sts_regions = {', '.join(REGIONS)}\n"
    (folder / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    bridge.install()
    return key_of(boto3.Session(profile_name="etl"))


def by_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.setenv("GCP_AWS_BRIDGE_STS_REGIONS", ",".join(REGIONS))
    session = botocore.session.Session()
    bridge.register(session)
    return key_of(session)


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    bridge.install(bridge.Role(ROLE, sts_regions=REGIONS))
    return key_of(boto3.Session())


def by_env(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    options = ("--shell", "json", "--cache-dir", str(folder), "--role-arn", ROLE)
    done = commands.run("env", *options, *BOTH)
    assert 0 == done.returncode, done.stderr
    return str(json.loads(done.stdout)["AWS_ACCESS_KEY_ID"])


def by_credential_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    options = ("--role-arn", ROLE, *BOTH, "--cache-dir", str(folder))
    first, second = (commands.run("credential-process", *options) for _ in range(2))
    assert (0, first.stdout) == (first.returncode, second.stdout), first.stderr
    return str(json.loads(first.stdout)["AccessKeyId"])


def by_exec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    program = "import boto3; print(boto3.Session().get_credentials().access_key)"
    command = [sys.executable, "-m", "gcp_aws_bridge", "exec", "--role-arn", ROLE, *BOTH, "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert f"STS in {WEST} has an outage" in done.stderr
    return done.stdout.strip()


def by_serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    parser = argparse.ArgumentParser()
    serve.configure(parser)
    served = _serving.caches_of(parser.parse_args(BOTH), [f"etl={ROLE}"])
    return str(served["etl"].get().access_key_id)


ENTRY_POINTS: dict[str, Callable[[Path, pytest.MonkeyPatch], str]] = {
    "session": lambda *_: key_of(bridge.session(ROLE, sts_regions=REGIONS)),
    "Role": lambda *_: key_of(bridge.session(bridge.Role(ROLE, sts_regions=REGIONS))),
    "unpickled": lambda *_: key_of(
        pickle.loads(pickle.dumps(bridge.session(ROLE, sts_regions=REGIONS)))
    ),
    "credentials": lambda *_: str(
        bridge.credentials(ROLE, sts_regions=REGIONS).get_frozen_credentials().access_key
    ),
    "adapter": lambda *_: str(Adapter(ROLE, sts_regions=REGIONS)._cache.get().access_key_id),
    "profile": by_profile,
    "environment": by_environment,
    "install": installed,
    "env": by_env,
    "credential-process": by_credential_process,
    "exec": by_exec,
    "serve": by_serve,
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_entry_point_uses_the_other_region(
    name: str, two: TwoRegions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.west.inject(Fault.status(503), times=None)
    assert ENTRY_POINTS[name](tmp_path, monkeypatch).startswith("ASIA")
    assert (1, 1) == two.asked
