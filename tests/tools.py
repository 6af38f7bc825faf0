"""Programs that check the output of `setup`, if the machine has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = shutil.which("bash")
SHELLCHECK = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which(
    "shellcheck"
)
TERRAFORM = shutil.which("terraform") or shutil.which("tofu")
needs_bash = pytest.mark.skipif(BASH is None or os.name == "nt", reason="no bash here")
needs_shellcheck = pytest.mark.skipif(SHELLCHECK is None, reason="no shellcheck here")
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="neither terraform nor tofu here")

NASTY = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "\ntouch pwned\n",
    "x\nEND_OF_YAML\ntouch pwned\n",
    "${IFS}",
    "-n",
    "*",
    "\\",
    "é\u2028😀",
]


def run_terraform(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TERRAFORM), *arguments],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "CHECKPOINT_DISABLE": "1"},
    )
