"""What an attempt of `test_errors.py` may use: a folder, the environment, emulated clouds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from unit.servers import AUDIENCE

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.emulator import Emulator


class World:
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


Attempt = Callable[[World], object]


def command(*arguments: str) -> Attempt:
    """Return an attempt that runs a command, which prints what it raises."""

    def run(world: World) -> None:
        filled = [one.replace("FOLDER", str(world.folder)) for one in arguments]
        assert 0 == main(filled), "[unknown]"

    return run


def in_file(name: str, text: str, *arguments: str) -> Attempt:
    """Return an attempt that writes a file and runs a command."""

    def run(world: World) -> None:
        world.file(name, text)
        command(*arguments)(world)

    return run


def fresh(world: World) -> str:
    """Return an ID token of the emulated Google."""
    return world.cloud.mint(AUDIENCE)
