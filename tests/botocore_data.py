"""A pytest plugin: botocore's data files are read once for all sessions of a process."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore.loaders import Loader


@pytest.fixture(scope="session", autouse=True)
def shared_botocore_data() -> Iterator[None]:
    """Share one loader: each session would parse 2 MB of JSON."""
    real = botocore.session.create_loader
    loaders: dict[str, Loader] = {}

    def create_loader(data_path: str | None = None) -> Loader:
        if data_path is not None:
            return real(data_path)
        # Some tests move the data.
        return loaders.setdefault(Loader.BUILTIN_DATA_PATH, real())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", create_loader)
        yield
