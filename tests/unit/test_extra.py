"""An SDK that is missing or too old: the error that its adapter raises on import."""

from __future__ import annotations

import pickle
import subprocess
import sys
from types import ModuleType

import pytest

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge.exceptions import ConfigError, MissingExtra

# Each public module that adapts an SDK, the module that it needs, and the extra that installs it.
ADAPTERS = [
    ("gcp_aws_bridge.aio", "aiobotocore", "aio"),
    ("gcp_aws_bridge.adapters.airflow", "airflow", "airflow"),
    ("gcp_aws_bridge.adapters.beam", "apache_beam", "beam"),
    ("gcp_aws_bridge.adapters.obstore", "obstore", "obstore"),
    ("gcp_aws_bridge.adapters.polars", "polars", "polars"),
    ("gcp_aws_bridge.adapters.s3fs", "s3fs", "s3fs"),
    ("gcp_aws_bridge.adapters.smithy", "smithy_aws_core", "smithy"),
]
_IMPORT = """
import sys
sys.modules[sys.argv[2]] = None  # as if it were not installed
try:
    __import__(sys.argv[1])
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(("module", "sdk", "name"), ADAPTERS)
def test_missing_sdk_is_named_with_its_extra(module: str, sdk: str, name: str) -> None:
    if name == "smithy" and sys.version_info < (3, 12):
        pytest.skip("its error names a later Python")
    output = subprocess.run(
        [sys.executable, "-c", _IMPORT, module, sdk], check=True, capture_output=True, text=True
    ).stdout
    assert f"Fix: pip install 'gcp-aws-bridge[{name}]' [config/extra]" in output


@pytest.mark.parametrize("found", ["1.9.9", "1.10", "0.11.0"])
def test_sdk_that_is_too_old_is_named_with_its_version(
    found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("some_sdk")
    module.__version__ = found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_sdk", module)
    with (
        pytest.raises(MissingExtra, match=rf"some_sdk is {found}; this needs 1\.10\.1 or later"),
        extra("sdk", "some_sdk", "1.10.1"),
    ):
        pytest.fail("it is not used")


@pytest.mark.parametrize("found", ["1.10.1", "1.10.2rc1", "2.0", "10.0.0"])
def test_sdk_that_is_new_enough_is_used(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("some_sdk")
    module.__version__ = found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_sdk", module)
    with extra("sdk", "some_sdk", "1.10.1"):
        used = True
    assert used


def test_missing_extra_is_an_import_error_and_pickles() -> None:
    error = MissingExtra("It is not there.", fix="install it", error_id="config/extra")
    assert isinstance(error, ImportError)
    assert isinstance(error, ConfigError)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
