"""The code blocks of the pages, and a shell that runs those of a page like a reader.

A block that cannot run here has the reason above it, in the source: `<!-- not run: REASON -->`. A
`text` block after a shell block shows the output; an … in it stands for any text.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("[CS]*.md"))]

_BLOCK = re.compile(r"(?:^<!-- not run: (.*?) -->\n)?^```(\S+)\n(.*?)^```$", re.M | re.S)
_PATIENCE_S = 600  # for a slow installation; tests have their own time limits
_INSTALL = re.compile(r"^python3 -m venv .*$|^.*\bpip install .*$", re.M)


class Block(NamedTuple):
    """A fenced block, with the reason why it is not run, or an empty `not_run`."""

    language: str
    code: str
    not_run: str = ""


def blocks_in(text: str, *languages: str) -> list[Block]:
    """Return the blocks of a page's text in order, in the given languages or in all."""
    found = (Block(language, code, why or "") for why, language, code in _BLOCK.findall(text))
    return [block for block in found if not languages or block.language in languages]


def blocks_of(page: str, *languages: str) -> list[Block]:
    """Return the blocks of a page such as `how-to/exec.md`."""
    return blocks_in((DOCS / page).read_text(encoding="utf-8"), *languages)


def programs(folder: Path) -> str:
    """Return a PATH on which `gcp-aws-bridge` and `python3` are the tested ones."""
    folder.mkdir()
    commands = {"gcp-aws-bridge": " -m gcp_aws_bridge", "python3": "", "python": ""}
    for name, arguments in commands.items():
        file = folder / name
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def run_page(page: str, folder: Path, path: str, *, installs: bool = False) -> list[str]:
    """Run a page's shell blocks in one shell, in *folder*, and return the output of each.

    Asserts that all succeed and print the output on the page. Without *installs*, lines that
    install packages are left out: the tested package is installed already.
    """
    script, shown = ["set -e; trap 'kill $(jobs -p) 2>/dev/null || :' EXIT"], []
    for block in blocks_of(page, "sh", "text"):
        if block.not_run:
            continue
        if block.language == "text":
            shown[-1] = block.code
            continue
        code = block.code if installs else _INSTALL.sub("", block.code)
        script.append(f"{code}\nprintf '\\n\\036\\n'")
        shown.append("")
    status, output = _run("\n".join(script), folder, path)
    assert 0 == status, output
    printed = [part.strip("\n") for part in output.split("\n\036\n")][:-1]
    assert len(shown) == len(printed)
    for expected, actual in zip(shown, printed, strict=True):
        assert not expected or is_shown(expected, actual), f"{expected}\n--- actual:\n{actual}"
    return printed


def _run(script: str, folder: Path, path: str) -> tuple[int, str]:
    """Return the status and the output of a shell; end every process that it started."""
    environ = {**os.environ, "PATH": path}
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=_PATIENCE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return shell.returncode, output


def is_shown(expected: str, actual: str) -> bool:
    """Return whether *actual* is *expected*, with any text for each … in it."""
    parts = (re.escape(part) for part in expected.strip("\n").split("…"))
    return re.fullmatch(".*".join(parts), actual.strip("\n"), re.S) is not None
