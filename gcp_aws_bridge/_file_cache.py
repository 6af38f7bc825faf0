"""JSON documents in files that processes of one user share: owner-only, never torn, one writer.

Light on purpose: a command that answers from here imports little else. Knows nothing of what the
documents mean. What is not this user's own, or is readable by others, does not exist for it.

`folders` reads `XDG_RUNTIME_DIR`, `XDG_CACHE_HOME`, `HOME` and `TMPDIR`; on Windows `LOCALAPPDATA`.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

NAME = "gcp-aws-bridge"
_POSIX = os.name == "posix"
_MAX_FILE = 64 * 1024  # bytes; credentials have about two thousand
# Longer than any credentials live (AWS STS API reference: 43,200 s): nobody misses it.
_LITTER_S = 86_400
_SLACK_S = 60.0  # what NTP sets a clock back by is less
_LOCK_FILE = "lock"
_POLL_S = 0.02
# One byte of the lock file for each key; below 2**31, which Windows counts with.
_LOCKS = 1 << 30


class FileCache:
    """A folder of documents by key. Raises nothing of its own: without it, work is done twice.

    Args:
        folders: Made where it is missing; the first that is this user's alone is taken.
        now: The wall clock, in seconds since 1970; not that of a `World`, which costs an import.
    """

    def __init__(
        self,
        *folders: str,
        now: Callable[[], float] = time.time,  # noqa: TID251
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = next(filter(_is_own_folder, folders), None)
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep

    def read(self, key: str) -> dict[str, Any] | None:
        """The document of *key*; None where there is none, or none that is fit to be read."""
        if self.folder is None:
            return None
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with open(os.open(self._path(key), flags), "rb") as file:
                if not _is_private(os.fstat(file.fileno()), stat.S_ISREG):
                    return None
                document = json.loads(file.read(_MAX_FILE))
        except (OSError, ValueError, RecursionError):
            return None
        # A copy or a renamed file is not what this key was given; and what was written in the
        # future comes from before the clock was set back: its instants mean nothing now.
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
        """Replace the document of *key* as a whole; on a full or read-only disk, leave it."""
        if self.folder is None:
            return
        from gcp_aws_bridge import _private_file  # not loaded by who only reads

        marked = {**document, "key": key, "written_at": self._now()}
        with contextlib.suppress(OSError):
            _private_file.replace(self._path(key), json.dumps(marked))
        self._sweep()

    @contextlib.contextmanager
    def lock(self, key: str, *, wait_s: float) -> Iterator[bool]:
        """Be the only process inside for *key*; whether it is, after *wait_s* seconds at most.

        A process that is killed lets go of it. Where nothing can be locked, all may enter.
        """
        number = self._open_lock()
        if number is None:
            yield True
            return
        try:
            yield self._locked(number, int(key[:12], 16) % _LOCKS, wait_s)
        finally:
            os.close(number)

    def _locked(self, number: int, byte: int, wait_s: float) -> bool:
        stop = self._monotonic() + wait_s
        while True:
            try:
                _lock_byte(number, byte)
            except (BlockingIOError, PermissionError):  # what POSIX and Windows say of a held one
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
            return os.open(os.path.join(self.folder, _LOCK_FILE), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None

    def _path(self, key: str) -> str:
        return os.path.join(self.folder or "", f"{key}.json")

    def _sweep(self) -> None:
        """Remove what nobody can need any more, and what a killed process left half written."""
        assert self.folder is not None  # noqa: S101 - for the type checker
        old_s = self._now() - _LITTER_S
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.folder):
                if entry.name != _LOCK_FILE and entry.stat(follow_symlinks=False).st_mtime < old_s:
                    os.unlink(entry.path)


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


def _is_own_folder(folder: str) -> bool:
    """Whether it is there, made just now where it was not, and others cannot look or write."""
    try:
        found = os.lstat(folder)
    except OSError:
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            found = os.lstat(folder)
        except OSError:
            return False
    return _is_private(found, stat.S_ISDIR) and os.access(folder, os.W_OK)


def _is_private(found: os.stat_result, is_kind: Any) -> bool:
    """Of the right kind, this user's, and nobody else's to read or to write."""
    if not is_kind(found.st_mode):
        return False
    # On Windows a profile's folders are its user's by their access lists, which modes do not show.
    return not _POSIX or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)


def _lock_byte(number: int, byte: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(number, byte, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
