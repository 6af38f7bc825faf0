"""JSON documents in files that processes of one user share: owner-only, never torn, one writer.

Light on purpose: a command that answers from here imports little else. Knows nothing of what the
documents mean. Files and folders that belong to another user, that other users can read, or that
other users could exchange, are not used.

`folders` reads `XDG_RUNTIME_DIR`, `XDG_CACHE_HOME`, `HOME` and `TMPDIR`; on Windows `LOCALAPPDATA`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import time

from gcp_aws_bridge._cache.private_file import Folder, is_private

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

NAME = "gcp-aws-bridge"
_POSIX = os.name == "posix"
_MAX_FILE = 64 * 1024  # bytes; credentials have about two thousand
# Longer than any credentials live (AWS STS API reference: 43,200 s): no process needs it.
_LITTER_S = 86_400
_SLACK_S = 60.0  # what NTP sets a clock back by is less
_LOCK_FILE = "lock"
# What a sweep may delete: documents, and the temporary files of `Folder.replace`.
_OURS = r"[0-9a-f]{64}\.json|\.[0-9a-f]{64}\.json\.[0-9a-z_]{8}"
_POLL_S = 0.02
# One byte of the lock file for each key; below 2**31, which Windows counts with.
_LOCKS = 1 << 30


class FileCache:
    """A folder of documents by key. Raises nothing of its own: without it, work is done twice.

    The folder is opened again for each operation: it may be deleted and recreated in between.

    Args:
        folders: Candidates, the best first. The first that is this user's alone, or can be created,
            is used.
        now: The wall clock, in seconds since 1970; not that of a `World`, which costs an import.
    """

    def __init__(
        self,
        *folders: str,
        now: Callable[[], float] = time.time,  # noqa: TID251
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = next(filter(_is_usable, folders), None)
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep

    def read(self, key: str) -> dict[str, Any] | None:
        """Return the document of *key*, or None if there is no document that can be trusted."""
        if self.folder is None:
            return None
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a pipe would block
        try:
            with (
                Folder(self.folder, private=True) as folder,
                open(folder.open(f"{key}.json", flags), "rb") as file,
            ):
                if not is_private(os.fstat(file.fileno()), stat.S_ISREG):
                    return None
                document = json.loads(file.read(_MAX_FILE))
        except (OSError, ValueError, RecursionError):
            return None
        # A copied or renamed file is not the document of this key. A document from the future was
        # written before the clock was set back: its instants mean nothing now.
        mine = isinstance(document, dict) and document.get("key") == key
        return (
            document
            if mine and _instant(document, "written_at") <= self._now() + _SLACK_S
            else None
        )

    def read_fresh(self, key: str) -> dict[str, Any] | None:
        """As `read`, but only until the instant `fresh_until` (seconds since 1970) in it."""
        document = self.read(key)
        return document if document and self._now() < _instant(document, "fresh_until") else None

    def write(self, key: str, document: Mapping[str, Any]) -> None:
        """Atomically replace the document of *key*; on a full or read-only disk, keep the old one.

        Also deletes documents and temporary files that are older than a day.
        """
        if self.folder is None:
            return
        marked = {**document, "key": key, "written_at": self._now()}
        try:
            with Folder(self.folder, private=True) as folder:
                try:
                    folder.replace(f"{key}.json", json.dumps(marked))
                finally:
                    self._sweep(folder)
        except OSError:
            pass

    def lock(self, key: str, *, wait_s: float) -> _Lock:
        """Return a context manager in which no other process is at the same time for *key*.

        It yields whether that is so: False if *wait_s* seconds did not suffice. A process that is
        killed releases the lock. If nothing can be locked, every process may enter.
        """
        return _Lock(self._open_lock(), lambda number: self._locked(number, key, wait_s))

    def _locked(self, number: int, key: str, wait_s: float) -> bool:
        byte, stop = int(key[:12], 16) % _LOCKS, self._monotonic() + wait_s
        while True:
            try:
                _lock_byte(number, byte)
            except (BlockingIOError, PermissionError):  # POSIX and Windows: another process has it
                if self._monotonic() >= stop:
                    return False
            except OSError:
                return True  # a file system without locks
            else:
                return True
            self._sleep(_POLL_S)

    def _open_lock(self) -> int | None:
        if self.folder is None:
            return None
        try:
            with Folder(self.folder, private=True) as folder:
                return folder.open(_LOCK_FILE, os.O_RDWR | os.O_CREAT)
        except OSError:
            return None

    def _sweep(self, folder: Folder) -> None:
        """Delete documents that are no longer valid, and files that killed processes left."""
        old_s = self._now() - _LITTER_S
        for name in folder.names():
            if re.fullmatch(_OURS, name) and folder.modified(name) < old_s:
                folder.discard(name)


class _Lock:
    """The context manager of `FileCache.lock`, without the import of contextlib."""

    def __init__(self, number: int | None, locked: Callable[[int], bool]) -> None:
        self._number, self._locked = number, locked

    def __enter__(self) -> bool:
        if self._number is None:
            return True
        try:
            return self._locked(self._number)
        except BaseException:
            os.close(self._number)
            raise

    def __exit__(self, *_: object) -> None:
        if self._number is not None:
            os.close(self._number)


def _instant(document: dict[str, Any], name: str) -> float:
    """Seconds since 1970; NaN, which is neither before nor after anything, where there are none."""
    value = document.get(name)
    return value if isinstance(value, float) else float("nan")


def folders(environ: Mapping[str, str]) -> list[str]:
    """Where a cache of ours belongs on this system, the best first; the last is for no home."""
    home = environ.get("HOME", "")
    if os.name == "nt":
        found = [environ.get("LOCALAPPDATA", "")]
    elif sys.platform == "darwin":
        found = [home and os.path.join(home, "Library", "Caches")]
    else:
        # XDG Base Directory Specification: the first is on no disk, and gone after the log-out.
        found = [
            environ.get("XDG_RUNTIME_DIR", ""),
            environ.get("XDG_CACHE_HOME", "") or (home and os.path.join(home, ".cache")),
        ]
    ours = [os.path.join(folder, NAME) for folder in found if os.path.isabs(folder)]
    if _POSIX:
        shared = environ.get("TMPDIR") or "/tmp"  # noqa: S108 - a folder of our own in it
        ours.append(os.path.join(shared, f"{NAME}-{os.geteuid()}"))
    return ours


def _is_usable(folder: str) -> bool:
    try:
        Folder(folder, private=True).close()
    except OSError:
        return False
    return True


def _lock_byte(number: int, byte: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(number, byte, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
