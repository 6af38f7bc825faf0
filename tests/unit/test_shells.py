"""Variables printed for a shell are read by that shell unchanged."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess

import pytest

from gcp_aws_bridge.cli._shells import SHELLS

ODD = {"A": "plain", "B": 'it\'s $HOME `x` "y" \\ z'}


@pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="no bash here")
def test_bash_reads_what_is_printed_for_it() -> None:
    script = SHELLS["bash"](ODD) + '\nprintf "%s\\n%s" "$A" "$B"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert list(ODD.values()) == done.stdout.split("\n")
    assert ["export"] * 2 == [shlex.split(line)[0] for line in SHELLS["bash"](ODD).splitlines()]


def test_fish_quotes() -> None:
    assert [
        "set -gx A 'plain'",
        "set -gx B 'it\\'s $HOME `x` \"y\" \\\\ z'",
    ] == SHELLS["fish"](ODD).splitlines()


def test_powershell_quotes() -> None:
    assert [
        "$Env:A = 'plain'",
        "$Env:B = 'it''s $HOME `x` \"y\" \\ z'",
    ] == SHELLS["powershell"](ODD).splitlines()


def test_json_and_files_of_variables() -> None:
    assert ODD == json.loads(SHELLS["json"](ODD))
    assert "A=1\nB=a/b+c=" == SHELLS["dotenv"]({"A": "1", "B": "a/b+c="})
