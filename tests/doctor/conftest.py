"""What all diagnoses of these tests share: botocore's data files, and one emulated IAM."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import botocore.session
import pytest
from botocore.loaders import Loader, create_loader

from . import pod


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
    pod.stop_iam_server()
