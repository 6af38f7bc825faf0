"""docs/how-to/testing.md, as somebody follows it: its files in a folder, and pytest in there."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs/how-to/testing.md", ROOT / "README.md"
BLOCK = r"```python\n(.*?)```"

pytestmark = [
    pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout"),
    pytest.mark.usefixtures("few_plugins"),
]


@pytest.fixture
def files(pytester: pytest.Pytester) -> dict[str, str]:
    """The files of the page, written into the folder that the test is in."""
    blocks = re.findall(BLOCK, PAGE.read_text(encoding="utf-8"), re.S)
    files = {block.splitlines()[0].removeprefix("# "): block for block in blocks}
    for name, content in files.items():
        (pytester.path / name).write_text(content, encoding="utf-8")
    return files


def test_every_block_is_a_file(files: dict[str, str]) -> None:
    assert len(files) >= 13
    assert all(re.fullmatch(r"[a-z_]+\.py", name) for name in files)


def test_the_tests_of_the_page_pass(files: dict[str, str], pytester: pytest.Pytester) -> None:
    if importlib.util.find_spec("aiobotocore") is None:
        (pytester.path / "test_async.py").unlink()
        files.pop("test_async.py")
    tests = sum(
        len(re.findall(r"^ *(?:async )?def test_", content, re.M))
        for name, content in files.items()
        if name.startswith("test_")
    )
    outcomes = pytester.runpytest_subprocess("-W", "error", "-p", "anyio").parseoutcomes()
    assert ["passed"] == list(outcomes)
    assert tests <= outcomes["passed"]  # some have parameters


def test_the_test_of_the_readme_passes(pytester: pytest.Pytester) -> None:
    text = README.read_text(encoding="utf-8")
    [block] = [block for block in re.findall(BLOCK, text, re.S) if "def test_" in block]
    plugin, test = block.split("\n", 1)
    pytester.makeconftest(plugin.removeprefix("# conftest.py: "))
    pytester.makepyfile(test)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


def test_without_pytest_there_is_none(files: dict[str, str], pytester: pytest.Pytester) -> None:
    hidden = "import sys; sys.modules['pytest'] = None; import unittest; "
    program = hidden + "unittest.main(module='without_pytest', argv=['unittest'])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "OK") == (done.returncode, done.stderr.split()[-1]), done.stderr
