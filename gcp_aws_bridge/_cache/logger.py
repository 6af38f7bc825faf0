"""The logger `gcp_aws_bridge` for modules that short commands import.

Importing `logging` takes as long as a quarter of such a command. In a process that has not imported
it, no handler exists, and Python drops records below WARNING.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

_NAME = "gcp_aws_bridge"
_HERE = 3  # the caller's frame, for the file and line of a record


class Logger:
    """Writes to the logger `gcp_aws_bridge`, which is created when it can have an effect."""

    def debug(self, message: str, *args: object) -> None:
        self._write_if_wanted("DEBUG", message, args)

    def info(self, message: str, *args: object) -> None:
        self._write_if_wanted("INFO", message, args)

    def warning(self, message: str, *args: object) -> None:
        self._write("WARNING", message, args)

    def exception(self, message: str, *args: object) -> None:
        """Log an error and the exception that is being handled."""
        self._write("ERROR", message, args, exc_info=True)

    def _write_if_wanted(self, level: str, message: str, args: tuple[object, ...]) -> None:
        if "logging" in sys.modules:
            self._write(level, message, args, above=1)

    def _write(
        self, level: str, message: str, args: tuple[object, ...], above: int = 0, **more: Any
    ) -> None:
        import logging

        log, number = logging.getLogger(_NAME), getattr(logging, level)
        log.log(number, message, *args, stacklevel=_HERE + above, **more)


log = Logger()
