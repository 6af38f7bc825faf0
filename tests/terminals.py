"""A pseudo-terminal for a command: its output, typed keys, and the visible lines."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Cache = tuple[str, str]  # a character, and the codes of its rendition: "1;31"

# A session of its own, whose controlling terminal is the first that it opens: Ctrl-C reaches it.
_ON_IT = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for number in (0, 1, 2):
    if str(number) not in sys.argv[2]:
        os.dup2(terminal, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
_TOKEN = re.compile(r"\033\[([0-9;]*)([A-Za-z])|\033|[^\033]")


class OnTerminal:
    """A running command.

    Attributes:
        said: All that it has written to the terminal so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], near_end: int, far_end: int) -> None:
        import termios

        self.process = process
        self.said = ""
        self._near_end, self._far_end = near_end, far_end
        self._getattr = termios.tcgetattr
        self._before = self._getattr(far_end)

    def until(self, text: str) -> None:
        """Read until the command has written *text*."""
        for _ in range(400):  # twenty seconds of silence
            if text in self.said:
                return
            while self._read():
                pass
        raise AssertionError(f"{text!r} never came: {self.said!r}")

    def type(self, keys: str) -> None:
        os.write(self._near_end, keys.encode())

    def end(self) -> int:
        """Read to the end; return the exit status."""
        status = None
        while status is None:
            status = self.process.poll()
            while self._read():
                pass
        return status

    def is_as_before(self) -> bool:
        """Return whether the terminal's modes have not changed."""
        return self._before == self._getattr(self._far_end)

    def _read(self) -> bool:
        import select

        if not select.select([self._near_end], [], [], 0.05)[0]:
            return False
        more = os.read(self._near_end, 65536)
        self.said += more.decode("utf-8", "replace")
        return bool(more)


@contextlib.contextmanager
def on_terminal(
    command: Sequence[str],
    *,
    columns: int = 80,
    stdout: Any = None,
    beside: Mapping[str, str] = os.environ,
    **environment: str,
) -> Iterator[OnTerminal]:
    """Run a command of this Python on a terminal of that width; end it with the block.

    Args:
        command: After `python`: `["-m", "gcp_aws_bridge", "demo"]`.
        stdout: As `subprocess.Popen` has it; None: the terminal.
        beside: What else the environment has.
    """
    import fcntl
    import pty
    import termios

    near_end, far_end = pty.openpty()
    # `termios.tcsetwinsize`, which Python 3.10 does not have.
    fcntl.ioctl(far_end, termios.TIOCSWINSZ, struct.pack("4H", 50, columns, 0, 0))
    kept = "" if stdout is None else "1"
    inside = [sys.executable, "-c", _ON_IT, os.ttyname(far_end), kept, sys.executable, *command]
    variables = {**beside, "TERM": "xterm-256color", "NO_COLOR": "", **environment}
    with subprocess.Popen(inside, env=variables, stdout=stdout, start_new_session=True) as process:
        try:
            yield OnTerminal(process, near_end, far_end)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            os.close(far_end)
            os.close(near_end)


def screen(written: str, columns: int) -> list[list[Cache]]:
    """Return the lines that a terminal shows after the output *written*.

    Knows what a command of near_end may use, and nothing else: colours, "erase to the end of the
    line", carriage return and new line.
    """
    lines: list[list[Cache]] = [[]]
    codes, column = "", 0
    for token in _TOKEN.finditer(written):
        parameters, final = token.groups()
        if final == "m":
            codes = "" if parameters in ("", "0") else parameters
        elif final == "K":
            del lines[-1][column:]
        elif token[0] == "\r":
            column = 0
        elif token[0] == "\n":
            lines.append([])  # after a carriage return, as a terminal's driver sees to
        else:
            assert token[0].isprintable(), f"{token[0]!r} in {written!r}"
            if column == columns:
                lines.append([])
                column = 0
            lines[-1][column : column + 1] = [(token[0], codes)]
            column += 1
    assert not codes, "a colour is left on"
    return lines


def text(lines: Sequence[Sequence[Cache]]) -> list[str]:
    """Return the text without colours."""
    return ["".join(character for character, _ in line).rstrip() for line in lines]
