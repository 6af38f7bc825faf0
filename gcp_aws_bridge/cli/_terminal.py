"""Terminal output: colours, width, and a line that shows the progress.

The cursor is never hidden, because a command that is killed could not show it again.
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
    """Stream for output, which may be a terminal. Other streams get plain text.

    Attributes:
        live: Whether the stream is a terminal that can erase a line.
        colour: Whether to use colours (no-color.org: not if NO_COLOR has a non-empty value).
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")

    @property
    def columns(self) -> int:
        """Current width; 80 if it is not known."""
        with contextlib.suppress(OSError, ValueError):
            return max(os.get_terminal_size(self._out.fileno()).columns or 80, _NARROWEST)
        return 80

    def painted(self, text: str, codes: str) -> str:
        """Return *text* with the graphic rendition *codes* of ECMA-48, such as `1;31`."""
        return f"\033[{codes}m{text}\033[0m" if self.colour else text

    def print(self, line: str) -> None:
        """Print one line, and flush the stream."""
        try:
            print(line, file=self._out, flush=True)
        except UnicodeEncodeError:  # a Windows console of an old code page
            print(line.encode("ascii", "replace").decode(), file=self._out, flush=True)

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show *what* with a spinner until the block ends, if the stream is live.

        Yields:
            A function that replaces the shown text.
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
    """Wrap *text* at spaces, so that ARNs and URLs stay whole and can be copied."""
    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False) or [""]
