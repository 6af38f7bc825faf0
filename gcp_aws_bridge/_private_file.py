"""Writing a secret to a file: whole or not at all, and for this user only."""

from __future__ import annotations

import contextlib
import os
import tempfile


def replace(path: str, text: str) -> None:
    """Put *text* in the place of whatever *path* has; who reads it gets the old or the new, whole.

    Mode 0600 (on Windows, what the folder's access list says).

    Raises:
        OSError: The disk is full, the folder missing or read-only; *path* is as it was.
    """
    folder, name = os.path.split(os.path.abspath(path))
    number, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)  # mode 0600
    try:
        with open(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a machine that loses power may keep an empty file
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
