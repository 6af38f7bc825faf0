"""The first steps of a newcomer, in a new environment with the wheel and without the source.

`nox -s newcomer` runs it, and lets pip take the wheel for `gcp-aws-bridge`. The tutorial is the
next step of the same path: tests/emulated/test_tutorial.py, in that session too.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gcp_aws_bridge.emulator import Emulator

README = Path(__file__).parents[2] / "README.md"
ROLE = "arn:aws:iam::123456789012:role/etl"
WHO = '\nprint(session.client("sts").get_caller_identity()["Arn"])\n'
KIT = "gcp_aws_bridge.testing"
OWN_TEST = f"""
import botocore.exceptions
import pytest

import gcp_aws_bridge as bridge


def who(role):
    session = bridge.session(role, region_name="us-east-1")
    return session.client("sts").get_caller_identity()["Arn"]


def test_the_app_is_its_role(gke_pod):
    gke_pod.add_role("{ROLE}")
    assert ":assumed-role/etl/" in who("{ROLE}")


def test_unknown_role_is_denied(gke_pod):
    with pytest.raises(botocore.exceptions.CredentialRetrievalError, match="exchange/denied"):
        who("arn:aws:iam::123456789012:role/unknown")
"""
Run = Callable[..., str]

pytestmark = [
    pytest.mark.skipif("TUTORIAL_INSTALLS" not in os.environ, reason="`nox -s newcomer` runs this"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newcomer")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Return a function that runs a command in the newcomer's folder and environment."""
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    path = os.pathsep.join([str(programs), os.defpath])

    def run(*command: str) -> str:
        done = subprocess.run(
            [shutil.which(command[0], path=path) or command[0], *command[1:]],
            cwd=folder,
            env={**os.environ, "PATH": path, "AWS_DEFAULT_REGION": "us-east-1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "venv", "venv")
    run("python", "-m", "pip", "install", "--quiet", "gcp-aws-bridge[demo]")
    return run


def test_installed_package_is_the_wheel(run: Run, folder: Path) -> None:
    where = Path(run("python", "-c", "import gcp_aws_bridge; print(gcp_aws_bridge.__file__)"))
    assert where.is_relative_to(folder / "venv")
    [wheel] = Path(os.environ["PIP_FIND_LINKS"]).glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        files = [name for name in packed.namelist() if name.startswith("gcp_aws_bridge/")]
        assert len(files) > 100
        for name in files:
            assert packed.read(name) == (where.parents[1] / name).read_bytes()


def test_demonstration_succeeds(run: Run) -> None:
    shown = run("gcp-aws-bridge", "demo")
    assert "assumed-role/etl" in shown
    assert "✗" not in shown


@pytest.mark.parametrize("block", [0, 1], ids=["the line", "what it replaces"])
def test_examples_of_the_readme_give_the_role(run: Run, gke_pod: Emulator, block: int) -> None:
    gke_pod.add_role(ROLE)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert "assumed-role/etl" in run("python", "-c", blocks[block] + WHO)


def test_test_of_a_user_passes(run: Run, folder: Path) -> None:
    run("python", "-m", "pip", "install", "--quiet", "pytest")
    (folder / "test_own.py").write_text(OWN_TEST, encoding="utf-8")
    plugin = KIT if importlib.util.find_spec(KIT) else "gcp_aws_bridge.emulator.pytest_plugin"
    done = run("python", "-m", "pytest", "-q", "-p", plugin, "-W", "error", "test_own.py")
    assert "2 passed" in done
