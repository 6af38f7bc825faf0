"""The steps of the recipe that build, run twice with this Python, and for both processors.

There is no container engine here: `RUN` instructions run in a folder instead of in the image that
builds, and a part of the standard library represents that of the other image.
"""

from __future__ import annotations

import filecmp
import marshal
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import CodeType

import pytest

from gcp_aws_bridge.cli import _COMMANDS

from .recipe import LOCK, containerfile

dockerfile_parse = pytest.importorskip("dockerfile_parse", reason="runs in `nox -s image`")

pytestmark = pytest.mark.timeout(300)

SITE = "/usr/local/lib/python3.13/dist-packages"
# The copied files, by the instruction that copies them.
COPIED = [
    "docs/kubernetes/requirements.txt dist/*.whl wheels/",
    "--from=runtime /usr/lib/python3.13 stdlib",
    "--from=build /build/stdlib /usr/lib/python3.13",
    f"--from=build /build/site {SITE}",
    "--from=build /build/gcp-aws-bridge /usr/local/bin/",
]
MACHINES = {"amd64": 0x3E, "arm64": 0xB7}  # e_machine of ELF


def instructions(name: str) -> list[str]:
    with (LOCK.parent / "Containerfile").open("rb") as file:
        structure = dockerfile_parse.DockerfileParser(fileobj=file).structure
    return [one["value"] for one in structure if one["instruction"] == name]


def build(folder: Path, processor: str, seed: int) -> Path:
    """Run the instructions of the stage that builds, and return its folder."""
    (folder / "wheels").mkdir(parents=True)
    shutil.copy(LOCK, folder / "wheels")
    shutil.copy(os.environ["WHEEL"], folder / "wheels")
    library = Path(sysconfig.get_path("stdlib"))
    for name in ("json", "encodings"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(library / name, folder / "stdlib" / name, ignore=ignored)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # PYTHONPYCACHEPREFIX, which .ci/run sets, is not in the image.
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    # pip asks programs on PATH for their versions, of which some write to the home directory.
    own = {"PATH": programs, "HOME": str(folder)}
    own |= {"TARGETARCH": processor, "PYTHONHASHSEED": str(seed)}
    for command in instructions("RUN"):
        subprocess.run(["sh", "-c", command], cwd=folder, env=inherited | own, check=True)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("first") / "build", "amd64", 1)


def files_in(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(folder)) for path in paths)


def test_copied_files_are_those_of_this_test() -> None:
    assert instructions("COPY") == COPIED
    assert containerfile().count("\nRUN ") == 2


def test_second_build_has_the_same_bytes(built: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "another folder", "amd64", 2)
    for name in ("site", "stdlib"):
        files = files_in(built / name)
        assert files == files_in(again / name)
        _, different, failed = filecmp.cmpfiles(built / name, again / name, files, shallow=False)
        assert (different, failed) == ([], [])
    assert (built / "gcp-aws-bridge").read_bytes() == (again / "gcp-aws-bridge").read_bytes()


def machines_in(folder: Path) -> set[int]:
    """Return the processors for which the libraries in *folder* are compiled."""
    found = set()
    for path in folder.rglob("*.so"):
        header = path.read_bytes()[:20]
        assert header.startswith(b"\x7fELF")
        found.add(int.from_bytes(header[18:20], "little"))
    return found


def test_libraries_are_for_the_processor(built: Path, tmp_path: Path) -> None:
    other = build(tmp_path / "build", "arm64", 1)
    assert machines_in(built / "site") == {MACHINES["amd64"]}
    assert machines_in(other / "site") == {MACHINES["arm64"]}


def test_unknown_processor_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        build(tmp_path / "build", "s390x", 1)


def test_bytecode_has_its_final_path_and_no_timestamp(built: Path) -> None:
    modules = [*(built / "site").rglob("*.py")]
    assert len(modules) > 500
    for module in modules:
        compiled = (module.parent / f"__pycache__/{module.stem}.cpython-313.pyc").read_bytes()
        assert int.from_bytes(compiled[4:8], "little") == 0b01  # PEP 552: a hash, not checked
        code = marshal.loads(compiled[16:])
        assert isinstance(code, CodeType)
        assert code.co_filename == f"{SITE}/{module.relative_to(built / 'site')}"
    library = files_in(built / "stdlib")
    assert {Path(name).suffix for name in library} == {".pyc"}
    assert "json/__pycache__/decoder.cpython-313.pyc" in library


@pytest.mark.parametrize("command", ["--version", *(f"{name} --help" for name, _ in _COMMANDS)])
def test_program_starts_from_the_files_of_the_image(built: Path, command: str) -> None:
    program = built / "gcp-aws-bridge"
    assert program.read_text(encoding="utf-8").startswith("#!/usr/bin/python3\n")
    assert program.stat().st_mode & 0o777 == 0o755
    # -S: without the packages of this environment.
    line = [sys.executable, "-S", str(program), *command.split()]
    variables = {**os.environ, "PYTHONPATH": str(built / "site")}
    done = subprocess.run(line, env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
