"""Callers that hold a lock which the exchange needs: that of a logging handler or of an import."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"


class Shipping(logging.Handler):
    """A handler that sends each line to AWS before it returns, and holds its lock meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.credentials = bridge.credentials(ROLE)
        self.keys: list[str] = []
        self.is_busy = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.is_busy:
            self.is_busy = True
            self.keys.append(self.credentials.access_key)
            self.is_busy = False


def test_a_logging_handler_signs_the_first_line_that_it_ships(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, root = Shipping(), logging.getLogger()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    root.addHandler(handler)
    try:
        root.info("the first line")
    finally:
        root.removeHandler(handler)
    assert handler.keys[0].startswith("ASIA")
    assert 1 == len(pod.sts.requests)


def test_a_module_signs_while_it_is_imported(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The token source imports from the module."""
    (tmp_path / "app_that_signs.py").write_text(
        "import gcp_aws_bridge as bridge\n"
        "AUDIENCE = 'sts.amazonaws.com'\n"
        "def source():\n"
        "    from app_that_signs import AUDIENCE\n"
        "    return bridge.MetadataServer(AUDIENCE)()\n"
        f"KEY = bridge.credentials('{ROLE}', token_source=source).access_key\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import app_that_signs  # type: ignore[import-not-found]

    assert app_that_signs.KEY.startswith("ASIA")
    del sys.modules["app_that_signs"]
