"""What a stream can show: colour, how wide it is, and a line that says what is waited for.

The cursor is never hidden: a command that is killed could not bring it back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

_FRAMES, _PLAIN_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_FRAME_S = 0.1
_ERASE = "\r\033[K"  # ECMA-48, "Erase in line": from the cursor to the end
_NARROWEST = 24


class Terminal:
    """One stream. Where nobody watches it, or it has no colour, it gets plain text.

    Attributes:
        live: Somebody watches, on what can take back a line.
        colour: They did not say no to colour (no-color.org: any value but an empty one).
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")

    @property
    def columns(self) -> int:
        """How wide it is just now; 80 where that is not known."""
        with contextlib.suppress(OSError, ValueError):
            return max(os.get_terminal_size(self._out.fileno()).columns or 80, _NARROWEST)
        return 80

    def painted(self, text: str, codes: str) -> str:
        """*text* in what ECMA-48 calls a graphic rendition, such as `1;31`."""
        return f"\033[{codes}m{text}\033[0m" if self.colour else text

    def print(self, line: str) -> None:
        """One line, now."""
        try:
            print(line, file=self._out, flush=True)
        except UnicodeEncodeError:  # a Windows console of an old code page
            print(line.encode("ascii", "replace").decode(), file=self._out, flush=True)

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show what is waited for until the block ends, however it ends; nothing but where live.

        Yields:
            What to call with what is waited for next.
        """
        if not self.live:
            yield lambda what: None
            return
        now, stop = [what], threading.Event()

        def go_on(what: str) -> None:
            now[0] = what

        spinner = threading.Thread(target=self._spin, args=(now, stop), daemon=True)
        spinner.start()
        try:
            yield go_on
        finally:
            stop.set()
            spinner.join()
            self._write(_ERASE)

    def _spin(self, now: list[str], stop: threading.Event) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            for frame in itertools.cycle(self._frames()):
                self._write(f"{_ERASE}  {frame} {now[0]}"[: self.columns + len(_ERASE) - 1])
                if stop.wait(_FRAME_S):
                    return

    def _frames(self) -> str:
        try:
            _FRAMES.encode(self._out.encoding or "ascii")
        except UnicodeEncodeError:
            return _PLAIN_FRAMES
        return _FRAMES

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def wrapped(text: str, columns: int) -> list[str]:
    """*text* in lines of whole words: an ARN or a URL stays one, to be copied."""
    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False) or [""]
