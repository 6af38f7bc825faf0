from __future__ import annotations

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.attempt import RefreshAttempt
from gcp_aws_bridge.testing import GkePod
from soak.day import ROLES, live


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("error")
def test_two_hours_of_faults_cause_no_error(gke_pod: GkePod) -> None:
    report = live(gke_pod.cloud, hours=2, seed=3)
    assert report.is_clean, report.errors[:1]
    assert report.faults >= 3
    assert len(ROLES) < report.refreshes <= report.requests
    assert report.last.threads <= report.first.threads + 1  # a refresh may be running


def test_avoidable_errors_are_counted(gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch) -> None:
    """The soak can fail: without a refresh, callers get errors."""
    monkeypatch.setattr(RefreshAttempt, "fetch", lambda *_: _refuse())
    report = live(gke_pod.cloud, hours=0.5, seed=3)
    assert not report.is_clean


def _refuse() -> None:
    raise bridge.ExchangeError("no", code="AccessDenied")
