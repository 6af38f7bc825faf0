"""What `test_errors.py` changes: a folder, the environment, emulated clouds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from unit.servers import AUDIENCE

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.emulator import Emulator


class Environment:
    """A folder, the environment and emulated clouds."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, cloud: Emulator) -> None:
        self.folder = folder
        self.patch = patch
        self.cloud = cloud

    def file(self, name: str, text: str = "") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.patch.setenv(name, value)


Attempt = Callable[[Environment], object]


def command(*arguments: str) -> Attempt:
    """Return an attempt that runs a command, which prints its error."""

    def run(env: Environment) -> None:
        filled = [one.replace("FOLDER", str(env.folder)) for one in arguments]
        assert 0 == main(filled), "[unknown]"

    return run


def in_file(name: str, text: str, *arguments: str) -> Attempt:
    """Return an attempt that writes a file and runs a command."""

    def run(env: Environment) -> None:
        env.file(name, text)
        command(*arguments)(env)

    return run


def fresh(env: Environment) -> str:
    """Return an ID token of the emulated Google."""
    return env.cloud.mint(AUDIENCE)
