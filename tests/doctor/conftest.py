"""What all diagnoses of these tests share: botocore's data files, and one emulated IAM."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import Loader, create_loader

from gcp_aws_bridge.testing import GkePod

from .pod import Pod, stop_iam_server


@functools.cache
def _loader(search_path: str | None, builtin_path: str) -> Loader:
    return create_loader(search_path)


@pytest.fixture(autouse=True)
def data_files_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share botocore's loader: parsing its JSON files takes most of the time of a diagnosis."""
    monkeypatch.setattr(
        botocore.session,
        "create_loader",
        lambda search_path=None: _loader(search_path, Loader.BUILTIN_DATA_PATH),
    )


@pytest.fixture(scope="session", autouse=True)
def iam_server_is_stopped() -> Iterator[None]:
    """Stop the IAM server that the first test with an IAM has started."""
    yield
    stop_iam_server()


@pytest.fixture
def pod(
    gke_pod: GkePod, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pod]:
    """Return a pod whose metadata server is found by its usual address."""
    monkeypatch.delenv("GCE_METADATA_HOST")
    with contextlib.ExitStack() as stack:
        yield Pod(gke_pod.cloud, monkeypatch, tmp_path, stack)
