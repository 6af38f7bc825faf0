"""Starts and ends the clouds and the measured programs.

A program gets a new environment: no variable of the machine (such as `PYTHONDONTWRITEBYTECODE`,
with which every import would compile again, or a proxy) reaches it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from .peers.control import Control

PEERS = Path(__file__).with_name("peers")
_TIMEOUT_S = 900


class ProgramFailed(Exception):
    """A measured program failed, so that there is no figure. The text is its output."""


class Cost(NamedTuple):
    """The cost of a whole process, from spawn to exit: wall clock and processor, milliseconds."""

    wall_ms: float
    cpu_ms: float


class Bench(NamedTuple):
    """The environment of the benchmarks.

    Attributes:
        environment: Variables of every program, which lead it to the clouds.
        clouds: Commands for the process of the clouds.
        folder: An empty directory: home and working directory of every program.
        quick: Fewer runs, to try the benchmarks.
    """

    environment: Mapping[str, str]
    clouds: Control
    folder: Path
    quick: bool

    def rounds(self, usual: int) -> int:
        return max(3, usual // 5) if self.quick else usual

    def ask(self, program: str, *arguments: str, **more: str) -> Any:
        """Run a program of `peers/`, with *more* in its environment, and return its JSON."""
        command = [sys.executable, str(PEERS / program), *arguments]
        environment = {**self.environment, **more}
        with _started(command, environment, self.folder, stdout=subprocess.PIPE) as child:
            output, _ = child.communicate(timeout=_TIMEOUT_S)
        return json.loads(output)

    def cost(self, command: Sequence[str], **more: str) -> Cost:
        """Run a command to its end and measure it."""
        environment = {**self.environment, **more}
        started = time.perf_counter()
        with _started(command, environment, self.folder, stdout=subprocess.DEVNULL) as child:
            # wait4 counts the processor time of this child and of those that it has waited for.
            _, status, usage = os.wait4(child.pid, 0)
            ended = time.perf_counter()
            child.returncode = os.waitstatus_to_exitcode(status)
        return Cost((ended - started) * 1000, (usage.ru_utime + usage.ru_stime) * 1000)

    @contextmanager
    def beside(
        self, command: Sequence[str], variables: int
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Run a command until the end of the block, and end it as Kubernetes does: by SIGTERM.

        Yields:
            Its process id, and the *variables* that it prints, `NAME=value`, once it is ready.
        """
        with _started(command, self.environment, self.folder, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline().decode().strip() for _ in range(variables)]
            if all(lines):
                yield child.pid, dict(line.split("=", 1) for line in lines)
                child.terminate()
            child.wait(timeout=30)

    def command(self, name: str) -> str | None:
        """Return the path of an installed command, as found in a program's environment."""
        return shutil.which(name, path=self.environment["PATH"])


@contextmanager
def bench(*, quick: bool) -> Iterator[Bench]:
    """Run the clouds, with empty counters."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name:
        folder = Path(name)
        base = {"PATH": _path(), "HOME": name, "TMPDIR": name, "LANG": "C.UTF-8"}
        command = [sys.executable, str(PEERS / "clouds.py")]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with _started(command, base, folder, **pipes) as child:
            assert child.stdout is not None
            assert child.stdin is not None
            line = child.stdout.readline()
            if line:
                environment = {**base, **json.loads(line)}
                clouds = Control(environment["BENCH_CONTROL_PORT"])
                try:
                    yield Bench(environment, clouds, folder, quick)
                finally:
                    clouds.close()
            child.stdin.close()
            child.wait(timeout=30)


def _path() -> str:
    """Return this Python's commands first. pyenv's shims are omitted, since each start is slow."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    kept = [folder for folder in folders if Path(folder).name != "shims"]
    return os.pathsep.join([str(Path(sys.executable).parent), *kept])


@contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, **pipes: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child until the end of the block; its failure is an error."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, env=environment, cwd=folder, stderr=errors, **pipes)
        try:
            yield child
        finally:
            if child.returncode is None and child.poll() is None:
                child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        if child.returncode != 0:
            raise ProgramFailed(f"{' '.join(command)}: exit {child.returncode}\n{_tail(errors)}")


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode("utf-8", "replace")[-2000:]
