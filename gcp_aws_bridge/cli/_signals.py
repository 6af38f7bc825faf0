"""Signals that stop this process, and signals that are forwarded to a child process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

# Signals to this process that are meant for its child as well.
_FORWARDED = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, and on Windows Ctrl-Break; Ctrl-C stays an interrupt."""
    stop = threading.Event()
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    with _handling({number: lambda *_: stop.set() for number in numbers}):
        yield stop


def wait_for(stop: threading.Event, poll: Callable[[], None] = lambda: None) -> None:
    """Wait until *stop* is set, and call *poll* twice a second."""
    # Not one long wait: on Windows, Ctrl-C does not interrupt it.
    while not stop.wait(0.5):
        poll()


@contextlib.contextmanager
def forwarded() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Forward signals to a child process; signals before its start are forwarded after it.

    Yields:
        A function that must be called with the child.
    """
    child: list[subprocess.Popen[bytes]] = []
    early: list[int] = []
    # A terminal sends the signals of its keys to the child as well, so do not send them again.
    typed = {getattr(signal, name, None) for name in _FROM_TERMINAL} if _at_a_terminal() else set()

    def forward(number: int, _: object) -> None:
        if number in typed:
            return
        if child:
            send(child[0], number)
        else:
            early.append(number)

    def send(to: subprocess.Popen[bytes], number: int) -> None:
        # Not Popen.send_signal, which may reap the child while another call waits for it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(to.pid, number)

    def forward_to(started: subprocess.Popen[bytes]) -> None:
        child.append(started)
        for number in early:
            send(started, number)

    numbers = [getattr(signal, name) for name in _FORWARDED if hasattr(signal, name)]
    with _handling(dict.fromkeys(numbers, forward)):
        yield forward_to


@contextlib.contextmanager
def _handling(handlers: dict[int, Callable[[int, Any], Any]]) -> Iterator[None]:
    """Install *handlers* until the block ends, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at_a_terminal() -> bool:
    """Return whether the keys of a terminal send signals to this process."""
    if os.name != "posix":
        return True  # Ctrl-C in a console reaches all of its processes
    for number in range(3):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(number) == os.getpgrp()
    return False
