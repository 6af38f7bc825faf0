"""The interpreter of printed commands finds mistakes in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcp_aws_bridge.testing import GkePod

from . import fixing
from .pod import Pod

BIND = "gcloud iam service-accounts add-iam-policy-binding etl@p.iam.gserviceaccount.com "


@pytest.fixture
def pod(
    gke_pod: GkePod, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pod]:
    monkeypatch.delenv("GCE_METADATA_HOST")
    with contextlib.ExitStack() as stack:
        yield Pod(gke_pod.cloud, monkeypatch, tmp_path, stack)


@pytest.mark.parametrize(
    "fix",
    [
        "gcloud iam service-accounts bind x",
        "kubectl patch serviceaccount etl",
        "aws iam delete-role --role-name etl",
        # The cluster's pool is another one; the role is another one.
        f"{BIND}--project=p --role=roles/iam.workloadIdentityUser --member='serviceAccount:x[a/b]'",
        f"{BIND}--project=p --role=roles/viewer --member=x",
        # Words for the reader alone.
        "look at the network",
        "kubectl get pods",
    ],
)
def test_command_that_changes_nothing_or_the_wrong_thing_fails(fix: str, pod: Pod) -> None:
    pod.cloud.unlink()
    with pytest.raises(AssertionError):
        fixing.apply(pod, "", {"id": "doctor/unknown", "fix": fix, "wanted": ""})
    assert not pod.cloud.metadata.linked


@pytest.mark.parametrize(
    "fix",
    [
        'aws iam update-assume-role-policy --role-name etl --policy-document {"Statement": []}',
        "aws iam update-assume-role-policy --role-name etl --policy-document '{}",
    ],
)
def test_quoting_mistake_fails(fix: str, pod: Pod) -> None:
    with pytest.raises((AssertionError, ValueError)):
        fixing.apply(pod, "", {"id": "doctor/unknown", "fix": fix, "wanted": ""})
