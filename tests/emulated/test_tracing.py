"""Tracers around the exchange: it works with them, and they record no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import CredentialRetrievalError
from google.auth.exceptions import GoogleAuthError

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.google._aws_identity import forget_sessions
from gcp_aws_bridge.testing import EksPod, GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"
PROGRAMS = Path(__file__).with_name("programs")


def test_the_aws_xray_sdk_in_foreground_background_and_tasks(pod: Emulator) -> None:
    pytest.importorskip("aws_xray_sdk")
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "xray.py")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    # The caller's segment has the exchange in it; no other segment was sent.
    expected = {"refreshed": True, "segments": [1, 1], "sts": True, "seen": [], "errors": False}
    assert expected == found


SECRET = "a-secret-key" * 3
CUT_SHORT = f"<AssumeRoleWithWebIdentityResponse><Credentials><SecretAccessKey>{SECRET}"
UNREADABLE = {
    "cut short": Fault.body(CUT_SHORT, "text/xml"),
    "not XML": Fault.body(SECRET, "text/xml"),
    "an unknown encoding": Fault.body(f"<?xml version='1.0' encoding='x'?>{CUT_SHORT}", "text/xml"),
    "a null byte": Fault.body(f"\x00{CUT_SHORT}", "text/xml"),
    "cut short, 400": Fault.status(400, CUT_SHORT, "text/xml"),
    "cut short, 503": Fault.status(503, CUT_SHORT, "text/xml"),
    "a page, 503": Fault.status(503, f"<html>{SECRET}", "text/html"),
}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record the errors of botocore's clients at the method that tracers wrap."""
    recorded: list[str] = []
    call: Any = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def make_api_call(self: Any, *args: Any) -> Any:
        try:
            return call(self, *args)
        except Exception as error:
            recorded.append(f"{error} {error!r} {vars(error)}")
            raise

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    forget_sessions()
    yield recorded
    forget_sessions()


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_botocore_error_does_not_quote_an_unreadable_answer_of_sts(
    gke_pod: GkePod, traced: list[str], fault: Fault
) -> None:
    gke_pod.add_role(ROLE)
    gke_pod.freeze()
    gke_pod.cloud.sts.inject(fault, times=None)
    with pytest.raises(CredentialRetrievalError):
        bridge.credentials(ROLE).get_frozen_credentials()
    assert traced
    assert [] == [text for text in traced if SECRET in text]


def test_botocore_error_does_not_quote_an_unreadable_answer_to_a_pod_in_eks(
    eks_pod: EksPod, traced: list[str]
) -> None:
    eks_pod.becomes(eks_pod.role_arn, how="irsa")
    eks_pod.freeze()
    eks_pod.cloud.sts.inject(UNREADABLE["cut short"], times=None)
    with pytest.raises(GoogleAuthError):
        google.credentials().before_request(None, "GET", "https://example.com/", {})
    assert traced
    assert [] == [text for text in traced if SECRET in text]
