"""Several regions of STS: which one is used, and which findings name the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from two_regions import CENTRAL, WEST

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.doctor import regions
from gcp_aws_bridge.doctor.sts import DoctorSts
from gcp_aws_bridge.emulator import Fault

from .pod import OTHER, ROLE, Pod

WEB_IDENTITY = "AssumeRoleWithWebIdentity"
UNAVAILABLE = Fault.aws_error("ServiceUnavailable", "", 503)


def report(pod: Pod, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the report, and state and check of the findings that are not ok."""
    main(["doctor", "--json", *pod.arguments])
    found = json.loads(capsys.readouterr().out)
    return found, [f"{one['state']} {one['link']}" for one in found["findings"] if one["id"]]


def test_both_regions_are_checked_and_named(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    central = pod.two_regions()
    found, others = report(pod, capsys)
    assert (True, []) == (found["ok"], others)
    seen = " ".join(one["seen"] for one in found["findings"] if one["link"] == "sts")
    assert f"region {WEST}" in seen
    assert f"region {CENTRAL}" in seen
    exchanges = [
        sum(request.action == WEB_IDENTITY for request in sts.requests)
        for sts in (pod.cloud.sts, central)
    ]
    assert [1, 1] == exchanges


def test_outage_of_the_first_region_after_it_was_reached_is_a_warning(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [trusting(ROLE)]})
    pod.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    central = pod.two_regions()
    pod.cloud.sts.inject(UNAVAILABLE, times=None, action=WEB_IDENTITY)
    pod.arguments += ["--chain", OTHER]
    found, others = report(pod, capsys)
    assert (True, ["warning exchange"]) == (found["ok"], others)
    assert found["cause"]["seen"].startswith(f"STS in {WEST}: ")
    assert found["cause"]["seen"].endswith(f"STS in {CENTRAL} carries on.")
    actions = [request.action for request in central.requests]  # of the later steps, too
    assert [WEB_IDENTITY, "AssumeRole", "GetCallerIdentity"] == actions[-3:]


def test_outage_of_both_regions_is_an_error(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    for sts in (pod.two_regions(), pod.cloud.sts):
        sts.inject(UNAVAILABLE, times=None, action=WEB_IDENTITY)
    found, others = report(pod, capsys)
    assert (False, ["broken exchange"]) == (found["ok"], others)
    assert f"that of STS in {CENTRAL}; the others fail too" in found["cause"]["seen"]


def test_denial_in_both_regions_is_explained_once(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.two_regions()
    pod.cloud.remove_role(ROLE)
    found, others = report(pod, capsys)
    assert (False, ["broken exchange"]) == (found["ok"], others)


def test_wrong_clock_of_this_machine_is_not_blamed_on_a_region(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.two_regions()
    pod.clouds_are(900)
    found, _ = report(pod, capsys)
    assert "doctor/clock" == found["cause"]["id"]


def test_global_endpoint_is_one_address_for_its_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    session = botocore.session.Session()
    found = [DoctorSts(session, one, ROLE, 1.0) for one in ("us-east-2", "us-west-2")]
    finding = regions._one_address(found)
    assert "STS in us-east-2, us-west-2 has one address" in finding.seen
    assert "export AWS_STS_REGIONAL_ENDPOINTS=regional" in finding.fix
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "regional")
    session = botocore.session.Session()
    urls = {DoctorSts(session, one, ROLE, 1.0).url for one in ("us-east-2", "us-west-2")}
    assert 2 == len(urls)


def test_endpoint_of_a_profile_is_one_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    session = botocore.session.Session()
    finding = regions._one_address([DoctorSts(session, one, ROLE, 1.0) for one in (WEST, CENTRAL)])
    assert "by endpoint_url in the AWS config file" in finding.seen
    assert "remove endpoint_url from the AWS config file" in finding.fix


def trusting(arn: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
