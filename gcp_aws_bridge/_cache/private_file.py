"""Files with secrets, in folders whose content no other user can replace.

After a path has been checked, the next call with it may reach another file. A folder is therefore
opened one component at a time, checked by its descriptor, and used only through the descriptor.

The module imports little, since commands that answer from a cache load it. Windows has no folder
descriptors or modes; the access control list of the user's profile protects the files there.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

_BY_DESCRIPTOR = os.open in os.supports_dir_fd
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# O_PATH needs no permission to list the folder; home directories are often in one that only root
# may list.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_FILE = _NO_LINK | getattr(os, "O_BINARY", 0)
# Errors of open(2) for a symbolic link with O_NOFOLLOW: Linux and macOS; FreeBSD; with O_DIRECTORY.
_IS_LINK = {errno.ELOOP, errno.EMLINK, errno.ENOTDIR}
_MAX_LINKS = 40  # as Linux's path_resolution(7)
_ROOT = 0
# Advice in the error of a command for which `replace` fails.
WANTED = "a file in a folder that this user can write to, below folders that no other user can"
_CAN_RENAME = "other users can rename a folder on its path"


class Folder:
    """An open folder. A context manager that closes its descriptor.

    Args:
        path: Path of the folder. All folders and symbolic links in it must belong to this user or
            root, and other users must not be able to rename their entries.
        private: Whether the folder must be accessible only to this user. It must then not be a
            symbolic link; it is created if it is missing, with its parents.

    Raises:
        OSError: The folder cannot be used, or other users could replace it.
    """

    __slots__ = ("_number", "_path")

    def __init__(self, path: str, *, private: bool = False) -> None:
        self._path, self._number = path, None
        if _BY_DESCRIPTOR:
            self._number = _opened(path, private=private)
        elif private:
            os.makedirs(path, 0o700, exist_ok=True)
        try:
            if private:
                self._check_private()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor, if there is one."""
        if self._number is not None:
            os.close(self._number)
            self._number = None

    def open(self, name: str, flags: int) -> int:
        """Open the file *name* and return its descriptor. A new file has mode 0600.

        Raises:
            OSError: The file cannot be opened, or is a symbolic link.
        """
        return os.open(self._at(name), flags | _FILE, 0o600, dir_fd=self._number)

    def replace(self, name: str, text: str) -> None:
        """Replace the content of the file *name* with *text* atomically, and its mode with 0600.

        A symbolic link with that name is replaced, not followed.

        Raises:
            OSError: The disk is full or read-only. The file has not changed.
        """
        number, temporary = self._create_temporary(name)
        try:
            with open(number, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())  # otherwise a power failure may leave an empty file
            at = self._number
            os.replace(self._at(temporary), self._at(name), src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            self.discard(temporary)
            raise

    def names(self) -> list[str]:
        """Return the names of all entries."""
        if self._number is None:
            return os.listdir(self._path)
        number = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._number)
        try:
            return os.listdir(number)
        finally:
            os.close(number)

    def is_file(self, name: str) -> bool:
        """Return whether *name* is a regular file or does not exist."""
        try:
            return stat.S_ISREG(self._stat(name).st_mode)
        except FileNotFoundError:
            return name != ""

    def modified(self, name: str) -> float:
        """Return the modification time of *name*, in seconds since 1970; infinity if missing."""
        try:
            return self._stat(name).st_mtime
        except OSError:
            return float("inf")

    def discard(self, name: str) -> None:
        """Delete the file *name*, if it exists and can be deleted."""
        try:  # noqa: SIM105 - importing contextlib would take 2 % of the time of a cached answer
            os.unlink(self._at(name), dir_fd=self._number)
        except OSError:
            pass

    def discard_folder(self, name: str) -> None:
        """Delete the folder *name*, if it exists and is empty."""
        try:  # noqa: SIM105 - see `discard`
            os.rmdir(self._at(name), dir_fd=self._number)
        except OSError:
            pass

    def _create_temporary(self, name: str) -> tuple[int, str]:
        # Like `tempfile.mkstemp`, which cannot create a file relative to a descriptor.
        for _ in range(100):
            temporary = f".{name}.{os.urandom(4).hex()}"
            try:
                return self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), temporary
            except FileExistsError:
                continue
        raise FileExistsError(errno.EEXIST, "no unused temporary name", self._path)

    def _stat(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), dir_fd=self._number, follow_symlinks=False)

    def _at(self, name: str) -> str:
        return os.path.join(self._path, name) if self._number is None else name

    def _check_private(self) -> None:
        at: Any = self._path if self._number is None else self._number
        if not is_private(os.stat(at), stat.S_ISDIR):
            raise PermissionError(errno.EPERM, "not private to this user", self._path)
        if not os.access(self._at("."), os.W_OK, dir_fd=self._number):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self._path)


def replace(path: str, text: str) -> None:
    """Replace the content of the file *path* with *text* atomically, and its mode with 0600.

    On Windows, which has no modes, the access control list of the folder applies.

    Raises:
        OSError: The disk is full; the folder is missing, read-only, or other users could replace
            it; or *path* is a link, a device, a pipe or a folder. It has not changed.
    """
    above, name = os.path.split(path)
    with Folder(above) as folder:
        if not folder.is_file(name):  # root could replace even /dev/null and /dev/stdout
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        folder.replace(name, text)


def discard(path: str) -> None:
    """Delete the file *path*, if it exists and `replace` could have written it."""
    above, name = os.path.split(path)
    try:
        with Folder(above) as folder:
            folder.discard(name)
    except OSError:
        pass


def discard_folder(path: str) -> None:
    """Delete the folder *path*, if it exists and is empty."""
    above, name = os.path.split(path)
    try:
        with Folder(above) as folder:
            folder.discard_folder(name)
    except OSError:
        pass


def is_private(found: os.stat_result, is_kind: Any) -> bool:
    """Return whether *found* is of the right kind, and only this user can read or write it."""
    if not is_kind(found.st_mode):
        return False
    if not _BY_DESCRIPTOR:
        return True  # on Windows, modes show nothing
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _opened(path: str, *, private: bool) -> int:
    """Open the folder *path* as `Folder` describes, and return its descriptor."""
    # `abspath` would resolve `..` after a link to the link's parent, not to its target's parent.
    whole = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    names = whole.split("/")[::-1]
    number, is_shared, links = os.open("/", _FOLDER), False, 0
    try:
        while names:
            name = names.pop()
            if name in ("", "."):
                continue
            is_shared = _is_shared(number)
            try:
                below = _below(number, name, create=private)
            except OSError as error:
                links += 1
                is_last = private and not any(names)
                if error.errno not in _IS_LINK or links > _MAX_LINKS or is_last:
                    raise
                target = _target(number, name)
                names += target.split("/")[::-1]
                if not target.startswith("/"):
                    continue
                below = os.open("/", _FOLDER)
            os.close(number)
            number = below
        if is_shared:
            _check_owner(os.fstat(number))
    except BaseException:
        os.close(number)
        raise
    return number


def _below(number: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=number)
    except FileNotFoundError:
        if not create:
            raise
    try:  # noqa: SIM105 - see `Folder.discard`
        os.mkdir(name, 0o700, dir_fd=number)
    except FileExistsError:  # another process has created it
        pass
    return os.open(name, _FOLDER, dir_fd=number)


def _is_shared(number: int) -> bool:
    """Return whether other users can write to a folder, but not rename this user's entries.

    Raises:
        PermissionError: Other users can rename all entries.
    """
    found = os.fstat(number)
    _check_owner(found)
    is_shared = bool(found.st_mode & 0o022)
    if is_shared and not found.st_mode & stat.S_ISVTX:
        raise PermissionError(errno.EPERM, _CAN_RENAME)
    return is_shared


def _check_owner(found: os.stat_result) -> None:
    if found.st_uid not in (_ROOT, os.geteuid()):
        raise PermissionError(errno.EPERM, _CAN_RENAME)


def _target(number: int, name: str) -> str:
    """Return the target of a symbolic link of this user or root, which others cannot replace."""
    found = os.stat(name, dir_fd=number, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    _check_owner(found)
    return os.readlink(name, dir_fd=number)
