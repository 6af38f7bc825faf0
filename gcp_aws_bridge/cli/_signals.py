"""Being told to stop, and handing on what a child should be told."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

# Sent to this process, these are meant for its child as well.
_HANDED_ON = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")


@contextlib.contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM sets, and on Windows Ctrl-Break; Ctrl-C stays an interrupt."""
    stop = threading.Event()
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    with _handling({number: lambda *_: stop.set() for number in numbers}):
        yield stop


@contextlib.contextmanager
def handed_on() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Hand signals to a child, those that came before there was one as soon as there is.

    Yields:
        What to call with the child.
    """
    child: list[subprocess.Popen[bytes]] = []
    early: list[int] = []
    # What is typed at a terminal, it sends to the child itself; twice would be once too often.
    typed = {getattr(signal, name, None) for name in _FROM_TERMINAL} if _at_a_terminal() else set()

    def hand_on(number: int, _: object) -> None:
        if number in typed:
            return
        if child:
            send(child[0], number)
        else:
            early.append(number)

    def send(to: subprocess.Popen[bytes], number: int) -> None:
        # Not its send_signal, which may bury it in the middle of whoever waits for it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(to.pid, number)

    def hand_to(started: subprocess.Popen[bytes]) -> None:
        child.append(started)
        for number in early:
            send(started, number)

    numbers = [getattr(signal, name) for name in _HANDED_ON if hasattr(signal, name)]
    with _handling(dict.fromkeys(numbers, hand_on)):
        yield hand_to


@contextlib.contextmanager
def _handling(handlers: dict[int, Callable[[int, Any], Any]]) -> Iterator[None]:
    """*handlers* in place until the end of the block; elsewhere than in the main thread, none."""
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
    """Whether this process is what the terminal's keys go to."""
    if os.name != "posix":
        return True  # a console's Ctrl-C reaches all of its processes
    for number in range(3):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(number) == os.getpgrp()
    return False
