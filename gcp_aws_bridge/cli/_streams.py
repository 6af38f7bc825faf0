"""Standard streams that may be closed at any time, or are closed from the start."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# 128 plus the number of SIGPIPE, as a shell reports a program that the signal ended. No command
# uses it otherwise. Windows has no such signal, but the same status is used.
CLOSED_PIPE = 141
# EX_IOERR of sysexits.h. Not 1, which has a meaning for `doctor` and `trust-policy check`.
UNWRITTEN = 74


class _Stream:
    """Text stream that keeps the first error of its file.

    Attributes:
        error: The first error; None if there was none.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def _failed(self, error: OSError) -> None:
        self.error = self.error or error
        # Otherwise the interpreter would write the rest at exit, and report an error.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """Standard output, whose errors end the command."""

    def _failed(self, error: OSError) -> None:
        super()._failed(error)
        raise error


def guarded(run: Callable[[], int]) -> int:
    """Call *run* with standard streams that may be closed at any time.

    If standard error is closed, messages are dropped, and the command continues with its own exit
    status. If standard output is closed, the command ends without a message.

    Returns:
        The exit status of *run*; `CLOSED_PIPE` if standard output was closed; `UNWRITTEN` if it
        could not be written to for another reason, which is printed.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    out, messages = _Output(before[0]), _Stream(before[1])
    sys.stdout, sys.stderr = out, messages
    leaving: SystemExit | None = None
    status = 0
    try:
        try:
            status = run()
        except SystemExit as error:  # argparse's, after --help
            leaving = error
        out.flush()
        messages.flush()
    except Exception:
        if out.error is None:
            raise
    finally:
        sys.stdout, sys.stderr = before
    if out.error is not None:
        return _unwritten(out.error)
    if leaving is not None:
        raise leaving
    return status


def _open_closed() -> None:
    """Open streams that are closed, so that no file with secrets gets their numbers."""
    # In this order, because each gets the lowest free number. They stay open until exit.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _unwritten(error: OSError) -> int:
    # Windows reports a closed pipe as an invalid argument.
    is_closed = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)
    if is_closed:
        return CLOSED_PIPE
    print(f"gcp-aws-bridge: standard output: {error.strerror}", file=sys.stderr)
    return UNWRITTEN
