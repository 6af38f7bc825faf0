"""Certificates for tests of the webhook's modules."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from webhooks import TlsFiles


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def secret(tmp_path: Path, authority: trustme.CA) -> TlsFiles:
    """A secret with a certificate for 127.0.0.1."""
    made = TlsFiles(tmp_path, authority)
    made.write(made.issue())
    return made
