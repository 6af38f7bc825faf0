"""Folders that another user exchanges at any point: nothing outside of them is read or changed."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fakes import START

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge._cache.file_cache import NAME, FileCache
from gcp_aws_bridge._cache.private_file import Folder, discard, replace
from gcp_aws_bridge.cli import _serving, _setup_files
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.server.authorization import Authorization

KEY, OLD = "a1" * 32, "b2" * 32
NOW = START.timestamp()
LONG_AGO = NOW - 10 * 86_400
ANOTHER_USER = 12_345
# Every call with which the library reaches a file, and by which it judges one.
CALLS = ("open", "mkdir", "stat", "fstat", "readlink", "access", "listdir", "unlink", "replace")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors of folders are POSIX's")
as_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give files to another user"
)


def cache_in(folder: Path) -> FileCache:
    return FileCache(str(folder), now=lambda: NOW)


def document(secret: str) -> str:
    return json.dumps({"key": KEY, "written_at": NOW, "secret": secret})


def filled(folder: Path, secret: str) -> Path:
    """A private folder in which everything that a cache may read or sweep is there, and old."""
    folder.mkdir(parents=True, mode=0o700)
    for name in (f"{OLD}.json", "lock", "token", "precious"):
        (folder / name).write_text(secret)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    (folder / f"{KEY}.json").write_text(document(secret))
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def state_of(folder: Path) -> dict[str, tuple[str, int, int, int]]:
    """All that an operation could change of a folder's files."""
    found = {}
    for path in sorted(folder.iterdir()):
        seen = path.lstat()
        found[path.name] = (path.read_text(), seen.st_mode, seen.st_mtime_ns, seen.st_ino)
    return found


class BeforeCall:
    """Runs *act* once, before call *number* of those in `CALLS`.

    Call 0 is the one that opens the folder `cache`: what is above it is not exchanged.
    """

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.left, self._act, self.acted, self._begun = number, act, False, False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in CALLS:
            patch.setattr(os, name, self._before(getattr(os, name)))

    def _before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            self._begun = self._begun or args[0] == "cache"
            self.left -= self._begun
            if self.left == -1 and not self.acted:
                self.acted = True  # *act* makes calls, too
                self._act()
            return call(*args, **named)

        return called


# -- what is exchanged ---------------------------------------------------------------------------


class Place:
    """A cache folder, and beside it a folder with the same names that must not be touched."""

    def __init__(self, at: Path) -> None:
        self.above = at / "cache"
        self.folder = filled(self.above / NAME, "mine")
        self.victim = filled(at / "victim" / NAME, "stolen")
        self.before = state_of(self.victim)
        self.moved = at / "moved"
        self.cache = FileCache(str(self.folder), now=lambda: NOW)

    def exchange_folder_for_link(self) -> None:
        self.folder.rename(self.moved)
        self.folder.symlink_to(self.victim)

    def exchange_folder_for_link_within(self) -> None:
        self.folder.rename(self.moved)
        self.folder.symlink_to(f"../victim/{NAME}")

    def exchange_folder_for_readable_folder(self) -> None:
        self.folder.rename(self.moved)
        filled(self.folder, "stolen").chmod(0o755)

    def exchange_files_for_links(self) -> None:
        for name in os.listdir(self.folder):
            if name != "precious":
                (self.folder / name).unlink()
                (self.folder / name).symlink_to(self.victim / self._counterpart(name))

    def exchange_files_for_hard_links(self) -> None:
        for name in os.listdir(self.folder):
            if name != "precious" and not name.startswith(f"{KEY}."):  # that could be read
                (self.folder / name).unlink()
                os.link(self.victim / self._counterpart(name), self.folder / name)

    def exchange_files_for_folders(self) -> None:
        for name in os.listdir(self.folder):
            (self.folder / name).unlink()
            (self.folder / name).mkdir()

    def exchange_files_for_pipes(self) -> None:
        for name in os.listdir(self.folder):
            (self.folder / name).unlink()
            os.mkfifo(self.folder / name, 0o600)

    def exchange_parent_for_link_of_another_user(self) -> None:
        self.above.rename(self.moved)
        self.above.symlink_to(self.victim.parent)
        os.lchown(self.above, ANOTHER_USER, -1)

    def exchange_parent_for_folder_of_another_user(self) -> None:
        self.above.rename(self.moved)
        self.above.mkdir()
        (self.above / NAME).symlink_to(self.victim)
        os.lchown(self.above, ANOTHER_USER, -1)

    def delete_folder(self) -> None:
        shutil.rmtree(self.folder)

    def _counterpart(self, name: str) -> str:
        return name if (self.victim / name).exists() else "precious"

    def check_victim(self) -> None:
        """Nothing in the other folder was written, deleted, added or given another mode."""
        assert self.before == state_of(self.victim)


def read(place: Place) -> None:
    found = place.cache.read(KEY)
    assert found is None or "mine" == found["secret"]


def write(place: Place) -> None:
    place.cache.write(KEY, {"secret": "mine"})


def lock(place: Place) -> None:
    with place.cache.lock(KEY, wait_s=0) as alone:
        assert alone


def put_token(place: Place) -> None:
    with suppress(OSError):
        replace(str(place.folder / "token"), "mine")


def discard_token(place: Place) -> None:
    discard(str(place.folder / "token"))


OPERATIONS = [read, write, lock, put_token, discard_token]
BY_LINKS = [
    Place.exchange_folder_for_link,
    Place.exchange_folder_for_link_within,
    Place.exchange_folder_for_readable_folder,
    Place.exchange_files_for_links,
    Place.exchange_files_for_hard_links,
    Place.exchange_files_for_folders,
    Place.exchange_files_for_pipes,
    Place.delete_folder,
]
BY_ANOTHER_USER = [
    Place.exchange_parent_for_link_of_another_user,
    Place.exchange_parent_for_folder_of_another_user,
]


def named(call: Callable[..., None]) -> str:
    return call.__name__


def exchange_before_each_call(
    tmp_path: Path, operate: Callable[[Place], None], exchange: Callable[[Place], None]
) -> None:
    for number in itertools.count():
        place = Place(tmp_path / str(number))
        attack = BeforeCall(number, lambda: exchange(place))  # noqa: B023 - called in this turn
        with pytest.MonkeyPatch.context() as patch:
            attack.install(patch)
            operate(place)
        place.check_victim()
        if not attack.acted:
            assert number > 3
            return


@pytest.mark.sampled(7)
@pytest.mark.parametrize("exchange", BY_LINKS, ids=named)
@pytest.mark.parametrize("operate", OPERATIONS[:3], ids=named)
def test_a_cache_folder_that_is_exchanged_at_any_call_leads_nowhere_else(
    tmp_path: Path, operate: Callable[[Place], None], exchange: Callable[[Place], None]
) -> None:
    exchange_before_each_call(tmp_path, operate, exchange)


@as_root
@pytest.mark.parametrize("exchange", BY_ANOTHER_USER, ids=named)
@pytest.mark.parametrize("operate", OPERATIONS, ids=named)
def test_a_parent_that_another_user_exchanges_at_any_call_leads_nowhere_else(
    tmp_path: Path, operate: Callable[[Place], None], exchange: Callable[[Place], None]
) -> None:
    exchange_before_each_call(tmp_path, operate, exchange)


@pytest.mark.parametrize("exchange", BY_LINKS[3:], ids=named)
@pytest.mark.parametrize("operate", OPERATIONS[3:], ids=named)
def test_a_token_file_that_is_exchanged_at_any_call_leads_nowhere_else(
    tmp_path: Path, operate: Callable[[Place], None], exchange: Callable[[Place], None]
) -> None:
    exchange_before_each_call(tmp_path, operate, exchange)


@as_root
@pytest.mark.parametrize("operate", OPERATIONS[3:], ids=named)
def test_a_token_folder_that_another_user_exchanges_for_a_link_leads_nowhere_else(
    tmp_path: Path, operate: Callable[[Place], None]
) -> None:
    def exchange(place: Place) -> None:
        place.exchange_folder_for_link()
        os.lchown(place.folder, ANOTHER_USER, -1)

    exchange_before_each_call(tmp_path, operate, exchange)


# -- which folders are refused --------------------------------------------------------------------


def is_refused(folder: Path) -> bool:
    """Whether neither the cache nor a token file is kept in *folder*; both say the same."""
    cache = cache_in(folder / NAME)
    cache.write(KEY, {"secret": "mine"})
    (folder / "for-tokens").mkdir(exist_ok=True)
    said: str | None = ""
    try:
        replace(str(folder / "for-tokens" / "token"), "mine")
    except OSError as error:
        said = error.strerror
    refused = cache.folder is None
    assert refused is (cache.read(KEY) is None)
    assert said == ("other users can rename a folder on its path" if refused else "")
    return refused


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["parent", "grandparent", "above that"])
@pytest.mark.parametrize(
    ("mode", "refused"),
    [
        (0o700, False),
        (0o711, False),
        (0o755, False),
        (0o1777, False),
        (0o1775, False),
        (0o777, True),
        (0o775, True),
        (0o757, True),
        (0o722, True),
        (0o2770, True),
    ],
    ids=lambda value: oct(value) if isinstance(value, int) else "",
)
def test_a_folder_whose_parents_other_users_can_rename_is_refused(
    tmp_path: Path, mode: int, refused: bool, depth: int
) -> None:
    above = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    above[-1].mkdir(parents=True)
    above[2 - depth].chmod(mode)
    assert refused is is_refused(above[-1])


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777], ids=oct)
@pytest.mark.parametrize("depth", [0, 1])
def test_a_folder_below_one_of_another_user_is_refused(
    tmp_path: Path, mode: int, depth: int
) -> None:
    above = [tmp_path / "a", tmp_path / "a/b"]
    above[-1].mkdir(parents=True)
    above[1 - depth].chmod(mode)
    os.chown(above[1 - depth], ANOTHER_USER, -1)
    assert is_refused(above[-1])


def test_a_folder_of_another_user_is_refused_without_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_file, "_ROOT", 54_321)
    assert is_refused(tmp_path) is (os.geteuid() != 0)  # "/" is root's


@as_root
@pytest.mark.parametrize("made", ["folder", "link"])
def test_what_another_user_put_into_a_sticky_folder_is_refused(tmp_path: Path, made: str) -> None:
    shared, victim = tmp_path / "tmp", filled(tmp_path / "victim", "stolen")
    shared.mkdir()
    shared.chmod(0o1777)
    ours = shared / NAME
    if made == "folder":
        ours.mkdir(0o700)
    else:
        ours.symlink_to(victim)
    os.lchown(ours, ANOTHER_USER, -1)
    before = state_of(victim)
    assert cache_in(ours).folder is None
    with pytest.raises(PermissionError):
        replace(str(ours / "token"), "mine")
    assert before == state_of(victim)


def test_links_of_this_user_above_the_folder_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "real")  # as macOS has /var
    (tmp_path / "relative").symlink_to("absolute/./deep/../deep")
    assert not is_refused(tmp_path / "relative")
    assert (tmp_path / "real" / "deep" / "for-tokens" / "token").is_file()


def test_dots_in_a_path_mean_what_they_mean_to_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    monkeypatch.chdir(tmp_path)
    replace("link/.././/token", "mine")
    assert "mine" == (tmp_path / "real" / "token").read_text()


def test_a_link_of_this_user_to_a_folder_that_others_can_rename_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "real").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("open/real")
    assert is_refused(tmp_path / "link")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two/x")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match=r".") as caught:
        replace(str(tmp_path / "one" / "token"), "mine")
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    assert cache_in(tmp_path / "one" / NAME).folder is None


@as_root
def test_parents_that_this_user_cannot_list_are_enough() -> None:
    """As `/home` with mode 0711; in a process of that user."""
    program = (
        "import os, sys; from gcp_aws_bridge._cache.file_cache import FileCache\n"
        f"os.setgroups([]); os.setuid({ANOTHER_USER})\n"
        "FileCache(sys.argv[1]).write('c3' * 32, {'x': 1})\n"
        "print(FileCache(sys.argv[1]).read('c3' * 32)['x'])"
    )
    with TemporaryDirectory() as above:  # not pytest's, which are root's alone
        home = Path(above, "user")
        home.mkdir(0o700)
        Path(above).chmod(0o711)
        os.chown(home, ANOTHER_USER, -1)
        done = subprocess.run(
            [sys.executable, "-c", program, str(home / "cache")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (0, "1\n") == (done.returncode, done.stdout), done.stderr


# -- calls that fail -----------------------------------------------------------------------------


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENOSPC, errno.EROFS, errno.ENOENT, errno.ELOOP, errno.EEXIST],
    ids=errno.errorcode.get,
)
@pytest.mark.parametrize("operate", OPERATIONS, ids=named)
def test_any_call_may_fail_and_no_descriptor_stays_open(
    tmp_path: Path, operate: Callable[[Place], None], number: int
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    for turn in itertools.count():
        place = Place(tmp_path / str(turn))
        before = open_descriptors()
        failure = BeforeCall(turn, fail)
        with pytest.MonkeyPatch.context() as patch:
            failure.install(patch)
            operate(place)
        assert before == open_descriptors()
        assert "mine" == json.loads((place.folder / f"{KEY}.json").read_text())["secret"]
        if not failure.acted:
            return


def test_without_a_descriptor_left_nothing_is_kept(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from gcp_aws_bridge._cache.file_cache import FileCache\n"
        "import gcp_aws_bridge._cache.private_file, json\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "cache = FileCache(sys.argv[1]); cache.write('c3' * 32, {'x': 1})\n"
        "with cache.lock('c3' * 32, wait_s=0) as alone:\n"
        "    print(alone, cache.folder, cache.read('c3' * 32))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / NAME)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "True None None\n") == (done.returncode, done.stdout), done.stderr


def test_a_process_whose_standard_streams_are_closed(tmp_path: Path) -> None:
    """Its first descriptors are 0, 1 and 2."""
    program = (
        "import os, sys; from gcp_aws_bridge._cache.file_cache import FileCache\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "cache = FileCache(sys.argv[1]); cache.write('c3' * 32, {'x': 1})\n"
        "os._exit(0 if cache.read('c3' * 32)['x'] == 1 else 1)"
    )
    assert 0 == subprocess.call([sys.executable, "-c", program, str(tmp_path / NAME)])


def test_a_process_whose_working_folder_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    cache = cache_in(tmp_path / NAME)
    cache.write(KEY, {"secret": "mine"})
    assert "mine" == (cache.read(KEY) or {})["secret"]
    replace(str(tmp_path / "token"), "mine")
    with pytest.raises(OSError, match=r"."):
        replace("token", "mine")


def test_a_folder_that_is_deleted_while_the_process_runs_is_created_again(tmp_path: Path) -> None:
    cache = cache_in(tmp_path / "deep" / NAME)
    cache.write(KEY, {"secret": "mine"})
    shutil.rmtree(tmp_path / "deep")
    assert cache.read(KEY) is None
    cache.write(KEY, {"secret": "again"})
    assert "again" == (cache.read(KEY) or {})["secret"]
    assert 0o700 == stat.S_IMODE((tmp_path / "deep").stat().st_mode)


def test_a_child_does_not_inherit_the_descriptor(tmp_path: Path) -> None:
    with Folder(str(tmp_path / NAME), private=True) as folder:
        number = folder.open("file", os.O_RDWR | os.O_CREAT)
        assert folder._number is not None
        assert [False, False] == [os.get_inheritable(n) for n in (number, folder._number)]
        os.close(number)


# -- what a sweep deletes -----------------------------------------------------------------------


def hostile_names() -> list[bytes]:
    return [
        b"lock",
        b"token",
        b"precious",
        b"..." + b"a1" * 32 + b".json",
        f"{KEY}.json\n".encode(),
        f"\n{KEY}.json".encode(),
        f"{KEY}.json.bak".encode(),
        f"{KEY.upper()}.json".encode(),
        f"{KEY[:-1]}.json".encode(),
        f"{KEY}0.json".encode(),
        f".{KEY}.json.".encode(),
        f".{KEY}.json.0a1b2c3".encode(),
        f".{KEY}.json.0a1b2c3d4".encode(),
        f".{KEY}.json.0A1B2C3D".encode(),
        f".token.{'0' * 8}".encode(),
        b"x" * 255,
        *([b"\xff\xfe.json"] if sys.platform == "linux" else []),  # macOS takes UTF-8 only
        "١٢".encode() * 8 + b".json",
    ]


def test_a_sweep_deletes_names_of_its_own_form_only(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    cache = cache_in(folder)
    at = os.fsencode(folder)
    kept = hostile_names()
    for name in kept:
        open(os.path.join(at, name), "w").close()
    is_folder, is_link, is_pipe = (f"{digit * 64}.json".encode() for digit in "cde")
    os.mkdir(os.path.join(at, is_folder))
    os.symlink(tmp_path / "outside", os.path.join(at, is_link))
    os.mkfifo(os.path.join(at, is_pipe))
    (tmp_path / "outside").touch()
    (folder / f"{OLD}.json").touch()
    (folder / f".{OLD}.json.0a1b2c3_").touch()
    for found in os.listdir(at):
        path = os.path.join(at, found)
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    cache.write(KEY, {"secret": "mine"})
    assert sorted([*kept, is_folder, f"{KEY}.json".encode()]) == sorted(os.listdir(at))
    assert (tmp_path / "outside").exists()


# -- token files --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder", "socket"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path, outside = tmp_path / "token", tmp_path / "outside"
    outside.write_text("before")
    if kind.endswith("link"):
        path.symlink_to(outside if kind == "link" else tmp_path / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.relpath(path))
    before = path.lstat()
    with pytest.raises(ConfigError, match="it is not a regular file") as caught:
        Authorization(str(path))
    assert "config/token-file" == caught.value.error_id
    assert (before.st_ino, before.st_mode) == (path.lstat().st_ino, path.lstat().st_mode)
    assert "before" == outside.read_text()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o000], ids=oct)
def test_a_file_that_was_there_keeps_neither_mode_nor_links(tmp_path: Path, mode: int) -> None:
    path, linked = tmp_path / "token", tmp_path / "linked"
    path.write_text("before")
    os.link(path, linked)
    path.chmod(mode)
    authorization = Authorization(str(path))
    assert (0o100600, authorization.token) == (path.stat().st_mode, path.read_text())
    linked.chmod(0o600)
    assert "before" == linked.read_text()
    assert {"token", "linked"} == set(os.listdir(tmp_path))


def test_a_volume_that_all_containers_may_write_takes_the_token(tmp_path: Path) -> None:
    """A pod's `emptyDir` has mode 0777 and no sticky bit, below a folder of root's."""
    volume = tmp_path / "run" / "aws"
    volume.mkdir(parents=True)
    volume.chmod(0o777)
    Authorization(str(volume / "token"))
    assert 0o100600 == (volume / "token").stat().st_mode


def test_a_token_file_is_not_written_where_others_can_rename_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shared" / "mine"
    folder.mkdir(parents=True)
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(ConfigError, match="other users can rename a folder on its path") as caught:
        Authorization(str(folder / "token"))
    assert "config/token-file" == caught.value.error_id
    assert [] == list(folder.iterdir())


def test_a_token_that_cannot_be_written_again_stays_valid(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    authorization = Authorization(str(folder / "token"))
    before = authorization.token
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError):
        authorization.rotate()
    tmp_path.chmod(0o700)
    assert authorization.admits(before.encode())
    assert before == (folder / "token").read_text()
    shutil.rmtree(folder)
    folder.mkdir()  # deleted and created again, by a cleaner of /tmp perhaps
    authorization.rotate()
    assert authorization.token == (folder / "token").read_text() != before


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("mode", [0o700, 0o1777, 0o777], ids=oct)
def test_the_default_token_file_is_deleted_at_the_end(temporary: Path, mode: int) -> None:
    temporary.chmod(mode)
    with _serving.token_file() as path:
        authorization = Authorization(path)
        assert authorization.token == Path(path).read_text()
        assert 0o100600 == Path(path).stat().st_mode
        assert (temporary == Path(path).parent) is (mode == 0o777)  # no folder in it is safe
    assert [] == list(temporary.iterdir())


@pytest.mark.parametrize("mode", [0o700, 0o777], ids=oct)
@pytest.mark.parametrize("kind", ["nothing", "folder", "link", "link of another user"])
@pytest.mark.parametrize("of", ["the file", "the folder"])
def test_file_that_replaced_the_default_token_file_is_not_changed(
    temporary: Path, tmp_path: Path, mode: int, kind: str, of: str
) -> None:
    temporary.chmod(mode)
    victim = filled(tmp_path / "victim", "stolen")
    (victim / "token").unlink()  # that name is ours to delete
    before = state_of(victim)
    with _serving.token_file() as path:
        Authorization(path)
        exchanged = Path(path)
        if of == "the folder" and exchanged.parent != temporary:
            exchanged = exchanged.parent
        exchanged.rename(tmp_path / "moved")
        if kind == "folder":
            victim = victim.rename(exchanged)
        elif kind.startswith("link"):
            exchanged.symlink_to(victim)
            if os.geteuid() == 0 and kind != "link":
                os.lchown(exchanged, ANOTHER_USER, -1)
    assert before == state_of(victim)


def test_the_files_of_setup_are_not_written_through_links(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plan.sh").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError) as caught:
        _setup_files.put({"plan.sh": "text"}, str(tmp_path / "out"))
    assert "config/setup-output" == caught.value.error_id
    assert not (tmp_path / "outside").exists()
    (tmp_path / "out" / "plan.sh").unlink()
    for _ in range(2):  # the second time, it is there and says the same
        _setup_files.put({"plan.sh": "text"}, str(tmp_path / "out"))
    assert "text" == (tmp_path / "out" / "plan.sh").read_text()
    assert 2 == capsys.readouterr().err.count("written: ")


# -- systems without descriptors of folders -------------------------------------------------------


@pytest.fixture
def by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: no call takes `dir_fd`, and there are no modes and no flags of POSIX."""
    monkeypatch.setattr(private_file, "_BY_DESCRIPTOR", False)
    monkeypatch.setattr(private_file, "_FILE", 0)
    for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "geteuid"):
        monkeypatch.delattr(os, name)
    for name in ("open", "stat", "mkdir", "unlink", "access", "replace"):
        monkeypatch.setattr(os, name, by_path_only(getattr(os, name)))


def by_path_only(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **named: Any) -> Any:
        if any(named.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            raise NotImplementedError("dir_fd unavailable on this platform")
        return call(*args, **named)

    return called


@pytest.mark.usefixtures("by_path")
def test_without_descriptors_of_folders_all_goes_by_path(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / NAME
    cache = cache_in(folder)
    cache.write(KEY, {"secret": "mine"})
    (folder / f"{OLD}.json").touch()
    os.utime(folder / f"{OLD}.json", (LONG_AGO, LONG_AGO))
    with cache.lock(KEY, wait_s=0) as alone:
        assert alone
    cache.write(KEY, {"secret": "again"})
    assert "again" == (cache.read(KEY) or {})["secret"]
    assert {f"{KEY}.json", "lock"} == set(os.listdir(folder))
    with _serving.token_file() as path:
        authorization = Authorization(path)
        authorization.rotate()
        assert authorization.token == Path(path).read_text()
    assert not Path(path).exists()


@pytest.mark.usefixtures("by_path")
def test_without_descriptors_of_folders_a_folder_that_cannot_be_used_is_skipped(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    assert cache_in(tmp_path / "file").folder is None
    assert cache_in(tmp_path / "file" / NAME).folder is None
    with pytest.raises(ConfigError):
        Authorization(str(tmp_path / "missing" / "token"))
