"""JSON documents in files that the processes of one user share.

Files are readable only by their owner, replaced atomically, and written by one process at a time.
Files and folders that belong to another user, or that other users can read or replace, are not
used. The module imports little, since commands that answer from it should start quickly.

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
# Longer than the lifetime of all credentials (AWS STS API reference: 43,200 s).
_LITTER_S = 86_400
_SLACK_S = 60.0  # NTP sets a clock back by less
_LOCK_FILE = "lock"
# Names of files that a sweep may delete: documents, and temporary files of `Folder.replace`.
_OURS = r"[0-9a-f]{64}\.json|\.[0-9a-f]{64}\.json\.[0-9a-z_]{8}"
_POLL_S = 0.02
# One byte of the lock file for each key; below 2**31, a limit of Windows.
_LOCKS = 1 << 30


class FileCache:
    """A folder of documents by key. Raises no errors: without a usable folder, nothing is cached.

    The folder is opened for each operation: it may be deleted and recreated in between.

    Args:
        folders: Candidates in order of preference. The first one that is private to this user, or
            can be created, is used.
        now: Wall clock, in seconds since 1970; a `World` would cost an import.
        monotonic: Monotonic clock, in seconds.
        sleep: Pauses for a number of seconds.
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
        """Return the document of *key*, or None if there is no trusted document."""
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
        # written before the clock was set back, so its times are wrong now.
        mine = isinstance(document, dict) and document.get("key") == key
        return (
            document
            if mine and _instant(document, "written_at") <= self._now() + _SLACK_S
            else None
        )

    def read_fresh(self, key: str) -> dict[str, Any] | None:
        """Return the document like `read`, until its `fresh_until` (seconds since 1970)."""
        document = self.read(key)
        return document if document and self._now() < _instant(document, "fresh_until") else None

    def write(self, key: str, document: Mapping[str, Any]) -> None:
        """Replace the document of *key* atomically; on a full or read-only disk, keep the old one.

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
        """Return a context manager that locks *key* against other processes.

        It yields whether the lock was acquired within *wait_s* seconds. A process that is killed
        releases its lock. If the file system does not support locks, all processes may enter.
        """
        return _Lock(self._open_lock(), lambda number: self._locked(number, key, wait_s))

    def _locked(self, number: int, key: str, wait_s: float) -> bool:
        byte, stop = int(key[:12], 16) % _LOCKS, self._monotonic() + wait_s
        while True:
            try:
                _lock_byte(number, byte)
            except (BlockingIOError, PermissionError):  # locked, on POSIX and on Windows
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
        """Delete old documents, and temporary files of killed processes."""
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
    """Return seconds since 1970; NaN, for which all comparisons are false, if there are none."""
    value = document.get(name)
    return value if isinstance(value, float) else float("nan")


def folders(environ: Mapping[str, str]) -> list[str]:
    """Return candidate cache folders for this system, in order of preference."""
    home = environ.get("HOME", "")
    if os.name == "nt":
        found = [environ.get("LOCALAPPDATA", "")]
    elif sys.platform == "darwin":
        found = [home and os.path.join(home, "Library", "Caches")]
    else:
        # XDG Base Directory Specification: the first is in memory and deleted after the log-out.
        found = [
            environ.get("XDG_RUNTIME_DIR", ""),
            environ.get("XDG_CACHE_HOME", "") or (home and os.path.join(home, ".cache")),
        ]
    ours = [os.path.join(folder, NAME) for folder in found if os.path.isabs(folder)]
    if _POSIX:
        shared = environ.get("TMPDIR") or "/tmp"  # noqa: S108 - a private folder below it
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
