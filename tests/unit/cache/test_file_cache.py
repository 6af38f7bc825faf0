"""A folder that processes share: all in it is whole, this user's own, and of the key it is for."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import START, ManualWorld, eventually

from gcp_aws_bridge._cache.file_cache import NAME, FileCache, folders

KEY, OTHER = "a1" * 32, "b2" * 32
NOW = START.timestamp()
DOCUMENT = {"fresh_until": NOW + 60.0, "secret": "s3cr3t"}

posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")
not_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may write and read everywhere"
)


@pytest.fixture
def manual() -> ManualWorld:
    return ManualWorld()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / NAME


@pytest.fixture
def cache(folder: Path, manual: ManualWorld) -> FileCache:
    return made(manual, str(folder))


def made(manual: ManualWorld, *folders: str) -> FileCache:
    world = manual.world
    return FileCache(
        *folders,
        now=lambda: world.clock().timestamp(),
        monotonic=world.monotonic,
        sleep=world.sleep,
    )


def file_of(folder: Path, key: str = KEY) -> Path:
    return folder / f"{key}.json"


# -- reading and writing -----------------------------------------------------------------------


def test_what_was_written_is_read(cache: FileCache) -> None:
    cache.write(KEY, DOCUMENT)
    assert DOCUMENT.items() <= (cache.read(KEY) or {}).items()
    assert cache.read(OTHER) is None


def test_it_is_fresh_until_its_instant(cache: FileCache, manual: ManualWorld) -> None:
    cache.write(KEY, DOCUMENT)
    manual.advance(59)
    assert cache.read_fresh(KEY) is not None
    manual.advance(1)
    assert cache.read_fresh(KEY) is None
    assert cache.read(KEY) is not None


def test_after_the_clock_was_set_back_it_does_not_exist(
    cache: FileCache, manual: ManualWorld
) -> None:
    cache.write(KEY, DOCUMENT)
    manual.set_wall_clock(START - timedelta(seconds=59))  # as NTP may
    assert cache.read_fresh(KEY) is not None
    manual.set_wall_clock(START - timedelta(seconds=61))
    assert cache.read(KEY) is None


@posix
def test_only_the_owner_can_read_folder_files_and_lock(cache: FileCache, folder: Path) -> None:
    cache.write(KEY, DOCUMENT)
    with cache.lock(KEY, wait_s=0):
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {f"{KEY}.json": 0o600, "lock": 0o600} == found
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"key": "another"}',
        json.dumps({"key": OTHER, "written_at": NOW, **DOCUMENT}).encode(),
        json.dumps({"key": KEY, **DOCUMENT}).encode(),
        json.dumps({"key": KEY, "written_at": "today", **DOCUMENT}).encode(),
        json.dumps({"key": KEY, "written_at": float("nan"), **DOCUMENT}).encode(),
        json.dumps({"key": KEY, "written_at": NOW, "padding": "x" * 70_000}).encode(),
    ],
    ids=lambda content: content[:20].decode("latin-1") + f" {len(content)}",
)
def test_what_is_spoilt_does_not_exist(cache: FileCache, folder: Path, content: bytes) -> None:
    file_of(folder).write_bytes(content)
    file_of(folder).chmod(0o600)
    assert cache.read(KEY) is None
    cache.write(KEY, DOCUMENT)
    assert cache.read(KEY) is not None


@pytest.mark.parametrize("until", [None, "tomorrow", True, [], float("nan")], ids=str)
def test_what_does_not_say_until_when_is_not_fresh(cache: FileCache, until: object) -> None:
    cache.write(KEY, {"fresh_until": until})
    assert cache.read_fresh(KEY) is None


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o602], ids=oct)
def test_a_file_that_others_may_touch_does_not_exist(
    cache: FileCache, folder: Path, mode: int
) -> None:
    cache.write(KEY, DOCUMENT)
    file_of(folder).chmod(mode)
    assert cache.read(KEY) is None


@posix
def test_file_of_another_user_is_ignored(cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(KEY, DOCUMENT)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert cache.read(KEY) is None


@posix
@pytest.mark.parametrize("kind", ["symbolic link", "pipe", "folder"])
def test_what_is_no_file_does_not_exist(cache: FileCache, folder: Path, kind: str) -> None:
    cache.write(OTHER, DOCUMENT)
    if kind == "symbolic link":
        file_of(folder).symlink_to(file_of(folder, OTHER))
    elif kind == "pipe":
        os.mkfifo(file_of(folder), 0o600)  # would be waited for, for ever
    else:
        file_of(folder).mkdir(0o700)
    assert cache.read(KEY) is None


# -- where it cannot be ------------------------------------------------------------------------


def nothing_is_kept(cache: FileCache) -> bool:
    cache.write(KEY, DOCUMENT)
    with cache.lock(KEY, wait_s=0) as alone:
        return alone and cache.folder is None and cache.read(KEY) is None


def test_without_a_folder_nothing_is_kept(manual: ManualWorld) -> None:
    assert nothing_is_kept(made(manual))


def test_a_file_in_its_place(tmp_path: Path, manual: ManualWorld) -> None:
    (tmp_path / "file").touch()
    assert nothing_is_kept(made(manual, str(tmp_path / "file" / NAME)))
    assert nothing_is_kept(made(manual, str(tmp_path / "file")))


@posix
def test_a_folder_that_others_may_write_to(folder: Path, manual: ManualWorld) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert nothing_is_kept(made(manual, str(folder)))


@posix
def test_a_link_in_its_place(folder: Path, tmp_path: Path, manual: ManualWorld) -> None:
    folder.parent.mkdir()
    folder.symlink_to(tmp_path)
    assert nothing_is_kept(made(manual, str(folder)))


@not_root
def test_a_folder_that_is_read_only(folder: Path, manual: ManualWorld) -> None:
    folder.mkdir(parents=True, mode=0o500)
    assert nothing_is_kept(made(manual, str(folder)))


def test_the_first_folder_that_can_be_used_is(tmp_path: Path, manual: ManualWorld) -> None:
    (tmp_path / "file").touch()
    good = str(tmp_path / "good")
    assert good == made(manual, str(tmp_path / "file" / "x"), good).folder


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_loses_nothing(
    cache: FileCache, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    cache.write(KEY, DOCUMENT)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    cache.write(KEY, {**DOCUMENT, "secret": "new"})
    assert "s3cr3t" == (cache.read(KEY) or {})["secret"]
    assert [file_of(folder)] == list(folder.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this platform")
def test_a_disk_that_is_really_full(cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(KEY, DOCUMENT)
    real = os.open
    full: list[int] = []

    def on_a_full_disk(path: str, flags: int, *args: int, **where: Any) -> int:
        number = real(path, flags, *args, **where)
        if flags & os.O_EXCL:
            full.append(real("/dev/full", os.O_WRONLY))
            os.dup2(full[-1], number)
        return number

    monkeypatch.setattr(os, "open", on_a_full_disk)
    cache.write(KEY, {**DOCUMENT, "secret": "new"})
    assert "s3cr3t" == (cache.read(KEY) or {})["secret"]
    (number,) = full
    os.close(number)


def test_what_a_killed_process_left_is_swept_after_a_day(
    cache: FileCache, folder: Path, manual: ManualWorld
) -> None:
    cache.write(OTHER, DOCUMENT)
    with cache.lock(KEY, wait_s=0):
        pass
    torn = folder / f".{KEY}.json.0a1b2c3d"
    torn.write_text('{"key"')
    for path in folder.iterdir():
        os.utime(path, (NOW, NOW))
    manual.advance(86_400)
    cache.write(KEY, DOCUMENT)
    assert torn.exists()
    manual.advance(1)
    cache.write(KEY, DOCUMENT)
    assert {file_of(folder).name, "lock"} == {path.name for path in folder.iterdir()}


def test_writers_that_are_killed_leave_no_torn_file(cache: FileCache, folder: Path) -> None:
    """Four at a time write without a pause, until they are killed; what is read is always whole."""
    program = (
        "import sys; from gcp_aws_bridge._cache.file_cache import FileCache\n"
        "cache, key, number = FileCache(sys.argv[1]), sys.argv[2], sys.argv[3]\n"
        "print(flush=True)\n"
        "while True:\n"
        "    cache.write(key, {'parts': [number] * 2000})"
    )
    real = FileCache(str(folder))

    def writer_of_what_is_there() -> str:
        (whole,) = set((real.read(KEY) or {"parts": ["nothing yet"]})["parts"])
        return str(whole)

    for turn in range(3):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(folder), KEY, f"{turn}{number}"],
                stdout=subprocess.PIPE,
            )
            for number in range(4)
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        eventually(lambda turn=turn: writer_of_what_is_there().startswith(str(turn)))
        for writer in writers:
            for _ in range(100):
                writer_of_what_is_there()
            writer.kill()
        for writer in writers:
            writer.communicate()


# -- the lock ----------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(folder: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Hold the lock of a key in another process, until it is killed."""
    holding: list[subprocess.Popen[str]] = []
    program = (
        "import sys; from gcp_aws_bridge._cache.file_cache import FileCache\n"
        "with FileCache(sys.argv[1]).lock(sys.argv[2], wait_s=0) as alone:\n"
        "    print(alone, flush=True); sys.stdin.read()"
    )

    def hold(key: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder), key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holding.append(process)
        assert process.stdout is not None
        assert "True\n" == process.stdout.readline()
        return process

    yield hold
    for process in holding:
        process.kill()
        process.communicate()


def test_one_process_is_inside(
    cache: FileCache, manual: ManualWorld, elsewhere: Callable[[str], subprocess.Popen[str]]
) -> None:
    elsewhere(KEY)
    with cache.lock(KEY, wait_s=5) as alone:
        assert not alone
    assert 5 <= sum(manual.sleeps) < 5.1
    with cache.lock(OTHER, wait_s=0) as alone:
        assert alone


def test_a_killed_process_lets_go(
    cache: FileCache, elsewhere: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = elsewhere(KEY)
    process.kill()
    process.wait(10)
    with cache.lock(KEY, wait_s=0) as alone:
        assert alone


@posix
def test_a_file_system_without_locks_lets_all_in(
    cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "lockf", unsupported)
    with cache.lock(KEY, wait_s=60) as alone:
        assert alone


# -- where it is -------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the XDG specification's folders")
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/1", "HOME": "/h"}, ["/run/user/1", "/h/.cache"]),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, ["/c"]),
        ({"HOME": "/h"}, ["/h/.cache"]),
        ({"HOME": "relative", "XDG_RUNTIME_DIR": "too"}, []),
        ({}, []),
    ],
)
def test_the_places_of_linux(environ: dict[str, str], expected: list[str]) -> None:
    *found, last = folders({**environ, "TMPDIR": "/scratch"})
    assert [f"{folder}/{NAME}" for folder in expected] == found
    assert f"/scratch/{NAME}-{os.geteuid()}" == last
