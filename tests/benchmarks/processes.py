"""Starting the clouds and the programs that are measured, and ending them again.

A program gets an environment made from nothing: no variable of the machine's (such as
`PYTHONDONTWRITEBYTECODE`, which would have every import compile anew, or a proxy) reaches it.
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
    """A measured program failed: there is no figure. The text is what it said."""


class Cost(NamedTuple):
    """What a whole process took, from spawn to exit: wall clock and processor, milliseconds."""

    wall_ms: float
    cpu_ms: float


class Bench(NamedTuple):
    """What a row works with.

    Attributes:
        environment: Of every program; leads it to the clouds.
        clouds: Commands for the clouds' process.
        folder: An empty directory: home and working directory of every program.
        quick: Fewer runs, for trying the bench itself out.
    """

    environment: Mapping[str, str]
    clouds: Control
    folder: Path
    quick: bool

    def rounds(self, usual: int) -> int:
        return max(3, usual // 5) if self.quick else usual

    def ask(self, program: str, *arguments: str, **more: str) -> Any:
        """Run one of `peers/`, with *more* in its environment; the JSON that it prints."""
        command = [sys.executable, str(PEERS / program), *arguments]
        environment = {**self.environment, **more}
        with _started(command, environment, self.folder, stdout=subprocess.PIPE) as child:
            output, _ = child.communicate(timeout=_TIMEOUT_S)
        return json.loads(output)

    def cost(self, command: Sequence[str], **more: str) -> Cost:
        """Run a command to its end and measure it whole."""
        environment = {**self.environment, **more}
        started = time.perf_counter()
        with _started(command, environment, self.folder, stdout=subprocess.DEVNULL) as child:
            # wait4 counts the processor time of this child and of those that it waited for.
            _, status, usage = os.wait4(child.pid, 0)
            ended = time.perf_counter()
            child.returncode = os.waitstatus_to_exitcode(status)
        return Cost((ended - started) * 1000, (usage.ru_utime + usage.ru_stime) * 1000)

    @contextmanager
    def beside(
        self, command: Sequence[str], variables: int
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Have a command run until the block ends, and end it as Kubernetes does: by SIGTERM.

        Yields:
            Its process id, and the *variables* that it prints, `NAME=value`, when it is ready.
        """
        with _started(command, self.environment, self.folder, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline().decode().strip() for _ in range(variables)]
            if all(lines):
                yield child.pid, dict(line.split("=", 1) for line in lines)
                child.terminate()
            child.wait(timeout=30)

    def command(self, name: str) -> str | None:
        """The path of an installed command, as a program's environment finds it."""
        return shutil.which(name, path=self.environment["PATH"])


@contextmanager
def bench(*, quick: bool) -> Iterator[Bench]:
    """Have the clouds running, with nothing counted yet."""
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
    """This Python's own commands first. pyenv's shims are left out: each start of one costs."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    kept = [folder for folder in folders if Path(folder).name != "shims"]
    return os.pathsep.join([str(Path(sys.executable).parent), *kept])


@contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, **pipes: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is gone afterwards, whatever happens; a failure of its own is an error here."""
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
