"""A terminal for a command: its output, typed keys, and the resulting screen."""

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

Character = tuple[str, str]  # a character, and the codes of its style: "1;31"

# A new session, whose controlling terminal is the first one that it opens: Ctrl-C reaches it.
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
        output: All that it has written to the terminal so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], terminal: int, of_command: int) -> None:
        import termios

        self.process = process
        self.output = ""
        self._terminal, self._of_command = terminal, of_command
        self._getattr = termios.tcgetattr
        self._before = self._getattr(of_command)

    def until(self, text: str) -> None:
        """Read until *text* has been written."""
        for _ in range(400):  # twenty seconds of silence
            if text in self.output:
                return
            while self._read():
                pass
        raise AssertionError(f"{text!r} was not written: {self.output!r}")

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        """Read to the end and return the exit status."""
        status = None
        while status is None:
            status = self.process.poll()
            while self._read():
                pass
        return status

    def is_as_before(self) -> bool:
        """Return whether the terminal has the modes that it had before."""
        return self._before == self._getattr(self._of_command)

    def _read(self) -> bool:
        import select

        if not select.select([self._terminal], [], [], 0.05)[0]:
            return False
        more = os.read(self._terminal, 65536)
        self.output += more.decode("utf-8", "replace")
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
    """Run a command of this Python on a terminal until the end of the block.

    Args:
        command: Arguments of `python`: `["-m", "gcp_aws_bridge", "demo"]`.
        columns: Width of the terminal.
        stdout: As for `subprocess.Popen`; the terminal by default.
        beside: Further environment variables.
    """
    import fcntl
    import pty
    import termios

    terminal, of_command = pty.openpty()
    # Python 3.10 has no `termios.tcsetwinsize`.
    fcntl.ioctl(of_command, termios.TIOCSWINSZ, struct.pack("4H", 50, columns, 0, 0))
    kept = "" if stdout is None else "1"
    inside = [sys.executable, "-c", _ON_IT, os.ttyname(of_command), kept, sys.executable, *command]
    variables = {**beside, "TERM": "xterm-256color", "NO_COLOR": "", **environment}
    with subprocess.Popen(inside, env=variables, stdout=stdout, start_new_session=True) as process:
        try:
            yield OnTerminal(process, terminal, of_command)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            os.close(of_command)
            os.close(terminal)


def screen(written: str, columns: int) -> list[list[Character]]:
    """Return the lines that a terminal shows at the end of *written*.

    Supports only what our commands use: colours, "erase to the end of the line", carriage
    return and new line.
    """
    lines: list[list[Character]] = [[]]
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
            lines.append([])  # the driver adds a carriage return before it
        else:
            assert token[0].isprintable(), f"{token[0]!r} in {written!r}"
            if column == columns:
                lines.append([])
                column = 0
            lines[-1][column : column + 1] = [(token[0], codes)]
            column += 1
    assert not codes, "a colour is left on"
    return lines


def text(lines: Sequence[Sequence[Character]]) -> list[str]:
    """Return the lines without colours."""
    return ["".join(character for character, _ in line).rstrip() for line in lines]
