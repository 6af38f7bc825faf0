"""The `sitecustomize` of `gcp-aws-bridge run`: how it waits for a module, and leaves it alone."""

from __future__ import annotations

import copy
import importlib
import importlib.resources
import importlib.util
import os
import pkgutil
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gcp_aws_bridge.cli._python_path import sitecustomize
from gcp_aws_bridge.cli.run import FOLDER

NAME = "waited_for"
SOURCE = "value = 1\ndef read():\n    return value\n"


def put_source(folder: Path) -> None:
    package = folder / NAME
    package.mkdir()
    (package / "__init__.py").write_text(SOURCE, encoding="utf-8")
    (package / "data.txt").write_text("data", encoding="utf-8")


def put_zip(folder: Path) -> None:
    put_source(folder)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for path in (folder / NAME).iterdir():
            archive.write(path, f"{NAME}/{path.name}")
    for path in (folder / NAME).iterdir():
        path.unlink()
    (folder / NAME).rmdir()


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModuleType]]:
    """The modules that the finder has reported."""
    found: list[ModuleType] = []
    monkeypatch.setattr(sitecustomize, "_ready", {NAME: found.append})
    monkeypatch.setattr(sys, "meta_path", [sitecustomize, *sys.meta_path])
    yield found
    sys.modules.pop(NAME, None)


@pytest.fixture(params=[put_source, put_zip])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder or a zip file with the module, on the path."""
    request.param(tmp_path)
    place = tmp_path / "all.zip" if request.param is put_zip else tmp_path
    monkeypatch.syspath_prepend(str(place))
    return place


def imported() -> Any:
    return importlib.import_module(NAME)


def test_module_keeps_its_loader_and_its_spec(place: Path, ready: list[ModuleType]) -> None:
    module = imported()
    assert [module] == ready
    plain = next(
        spec for finder in sys.meta_path[1:] if (spec := finder.find_spec(NAME, None, None))
    )
    assert type(plain.loader) is type(module.__loader__)
    assert module.__loader__ is module.__spec__.loader
    assert plain.origin == module.__spec__.origin
    assert b"data" == pkgutil.get_data(NAME, "data.txt")
    assert "data" == importlib.resources.files(NAME).joinpath("data.txt").read_text("utf-8")
    assert SOURCE == module.__loader__.get_source(NAME)


def test_module_is_reported_again_after_a_reload(place: Path, ready: list[ModuleType]) -> None:
    module = imported()
    assert module is importlib.reload(module)
    assert [module, module] == ready
    assert type(module.__loader__).__module__ != sitecustomize.__name__
    assert module.__loader__ is module.__spec__.loader


def test_spec_that_a_program_looks_up_has_what_the_loader_has(
    place: Path, ready: list[ModuleType]
) -> None:
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert SOURCE == spec.loader.get_source(NAME)  # type: ignore[union-attr]
    assert spec.loader.is_package(NAME)  # type: ignore[union-attr]
    assert SOURCE == copy.copy(spec.loader).get_source(NAME)  # type: ignore[union-attr]
    assert [] == ready


def test_module_whose_loading_is_postponed_is_reported_when_it_runs(
    place: Path, ready: list[ModuleType]
) -> None:
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)  # type: ignore[arg-type]
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    assert [] == ready
    assert 1 == module.value
    assert [module] == ready


def test_threads_that_import_at_once_report_the_module_once(
    place: Path, ready: list[ModuleType]
) -> None:
    barrier = threading.Barrier(8)
    seen = []

    def work() -> None:
        barrier.wait()
        seen.append(imported().read())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([1] * 8, 1) == (seen, len(ready))


def test_module_that_raises_is_not_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: list[ModuleType]
) -> None:
    (tmp_path / f"{NAME}.py").write_text("raise LookupError('its own')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(LookupError, match="its own"):
        imported()
    assert [] == ready


def test_missing_module_is_missing_as_before(ready: list[ModuleType]) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{NAME}'"):
        imported()
    assert importlib.util.find_spec(NAME) is None


class AsksAll:
    """A finder that asks all other finders for the module, as wrapt's and ddtrace's do."""

    def __init__(self) -> None:
        self.asked = 0

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != NAME or self.asked > 9:
            return None
        self.asked += 1
        others = (finder for finder in sys.meta_path if finder is not self)
        return next((spec for each in others if (spec := each.find_spec(name, path, target))), None)


@pytest.mark.parametrize("at", [0, 1], ids=["before", "after"])
def test_another_finder_of_this_kind_does_not_recurse(
    place: Path, ready: list[ModuleType], at: int
) -> None:
    other = AsksAll()
    sys.meta_path.insert(at, other)
    module = imported()
    assert [module] == ready
    assert other.asked <= 2
    assert type(module.__loader__).__module__ != sitecustomize.__name__


class Builtin:
    """A loader with class methods only, such as those of frozen and built-in modules."""

    @classmethod
    def find_spec(cls, name: str, path: Any, target: Any = None) -> Any:
        return importlib.util.spec_from_loader(name, cls) if name == NAME else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: Any) -> None:
        return None

    @staticmethod
    def exec_module(module: Any) -> None:
        exec(SOURCE, vars(module))


def test_loader_that_modules_share_is_not_changed(ready: list[ModuleType]) -> None:
    before = dict(vars(Builtin))
    sys.meta_path.append(Builtin)
    module = imported()
    assert [module] == ready
    assert Builtin is module.__loader__ is module.__spec__.loader
    assert before == dict(vars(Builtin))


# -- the start of Python -----------------------------------------------------------------------


def started(code: str, *paths: Path, python: str = sys.executable, **environ: str) -> Any:
    """Run *code* with the folder of `run` first on the path, in a folder without Python code."""
    path = os.pathsep.join([FOLDER, *map(str, paths)])
    return subprocess.run(
        [python, "-c", code],
        cwd=os.sep,
        env={**os.environ, "GCP_AWS_BRIDGE_INSTALL": "aws", "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_process_without_botocore_imports_nothing_of_this_library() -> None:
    done = started(
        "import sys; print(sorted(m for m in sys.modules if m.startswith('gcp_aws')));"
        "import botocore; print(sorted(m for m in sys.modules if m.startswith('gcp_aws')));"
        "print(sys.modules['sitecustomize'].__file__, sys.path[-1])"
    )
    file = os.path.join(FOLDER, "sitecustomize.py")
    assert f"[]\n[]\n{file} {FOLDER}\n" == done.stdout, done.stderr


@pytest.mark.parametrize(
    ("value", "waits"),
    [("aws", True), (" AWS ", True), ("aws,google", True), ("", False), ("other", False)],
)
def test_hook_waits_only_if_the_variable_requests_it(value: str, waits: bool) -> None:
    code = "import sys; print(sys.modules['sitecustomize'] in sys.meta_path)"
    assert f"{waits}\n" == started(code, GCP_AWS_BRIDGE_INSTALL=value).stdout


def test_existing_sitecustomize_runs_and_keeps_its_place(tmp_path: Path) -> None:
    other = tmp_path / "sitecustomize.py"
    other.write_text("import sys\nprint('other', sys.path[0])\n", encoding="utf-8")
    done = started("import sys, sitecustomize as s; print(s.__file__, sys.path[1:3])", tmp_path)
    path = [FOLDER, str(tmp_path)]
    assert f"other {tmp_path}\n{other} {path}\n" == done.stdout, done.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ValueError('its own')", "its own"),
        ("import missing_module", "missing_module"),
        ("raise SystemExit(3)", ""),
    ],
)
def test_error_of_an_existing_sitecustomize_is_as_before(
    tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(source, encoding="utf-8")
    own = started("print(1)", tmp_path, PYTHONPATH=str(tmp_path))
    both = started("print(1)", tmp_path)
    assert said in own.stderr
    assert (own.returncode, own.stdout) == (both.returncode, both.stdout)
    assert said in both.stderr


@pytest.mark.skipif(os.name != "posix", reason="the path of Python is another on Windows")
def test_usercustomize_runs(tmp_path: Path) -> None:
    base = str(Path(sys.base_prefix, "bin/python3"))  # a virtual environment reads none
    code = "import site; print(site.getusersitepackages())"
    user = started(code, python=base, PYTHONUSERBASE=str(tmp_path)).stdout.strip()
    Path(user).mkdir(parents=True)
    (Path(user) / "usercustomize.py").write_text("print('user')", encoding="utf-8")
    done = started("print('program')", python=base, PYTHONUSERBASE=str(tmp_path))
    assert "user\nprogram\n" == done.stdout, done.stderr


BOTOCORE = """
_initializers = []
register_initializer = _initializers.append
def session():
    for each in _initializers:
        each(None)
"""


def test_python_without_this_library_says_so_once_and_goes_on(tmp_path: Path) -> None:
    venv.create(tmp_path / "other", with_pip=False, symlinks=os.name == "posix")
    other = str(next((tmp_path / "other").glob("[bS]*/python*")))
    (tmp_path / "botocore.py").write_text(BOTOCORE, encoding="utf-8")
    code = "import botocore as b; b.session(); b.session(); print('goes on')"
    done = started(code, tmp_path, python=other)
    assert (0, "goes on\n") == (done.returncode, done.stdout)
    [line] = done.stderr.splitlines()
    assert "gcp-aws-bridge run: no AWS role for this process" in line
    assert "No module named 'gcp_aws_bridge'" in line
    assert line.endswith("-m pip install --upgrade gcp-aws-bridge")
    assert "" == started("print(1)", tmp_path, python=other).stderr


def test_module_has_the_syntax_of_every_python() -> None:
    """Python 2 has neither annotations nor f-strings, and Python 3.5 no annotated variables."""
    import ast

    source = Path(FOLDER, "sitecustomize.py").read_text(encoding="utf-8")
    new = (ast.AnnAssign, ast.JoinedStr, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal)
    for node in ast.walk(ast.parse(source, feature_version=(3, 4))):
        assert not isinstance(node, new)
        if isinstance(node, ast.FunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            assert not node.args.posonlyargs
            assert [node.returns] + [each.annotation for each in arguments] == [None] * (
                len(arguments) + 1
            )


def test_module_that_was_imported_before_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Callable[..., None]] = []
    botocore: Any = ModuleType("botocore")
    botocore.register_initializer = found.append
    monkeypatch.setitem(sys.modules, "botocore", botocore)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sitecustomize, "_ready", {})
    monkeypatch.setenv("GCP_AWS_BRIDGE_INSTALL", "aws")
    sitecustomize.install()
    assert [sitecustomize._on_session] == found
