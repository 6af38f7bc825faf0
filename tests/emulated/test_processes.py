"""Whole processes: pools of workers, a real gunicorn with --preload, the end of the interpreter."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import eventually

from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
PROGRAMS = Path(__file__).parent / "programs"
HANGS_S = 20  # latency of STS in tests that end before it answers


@pytest.mark.sampled(3)
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_of_a_pool_share_or_make_credentials(pod: Emulator, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this platform")
    ran = run("pool.py", method, ROLE)
    in_parent, in_workers = json.loads(ran.stdout)
    assert 4 == len(in_workers)
    if method == "fork":  # valid credentials are inherited
        assert {in_parent} == set(in_workers)
        assert 1 == len(pod.sts.requests)
    else:  # one exchange in each worker that got work
        assert 1 + len(set(in_workers)) == len(pod.sts.requests)
        assert len(set(in_workers)) <= 2


@pytest.mark.skipif(importlib.util.find_spec("gunicorn") is None, reason="gunicorn is not here")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn forks")
@pytest.mark.usefixtures("home")  # gunicorn has a control socket there
def test_gunicorn_with_preload(pod: Emulator, tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0", encoding="utf-8")
    pod.clock = lambda: utc_now() + timedelta(seconds=float(ahead.read_text(encoding="utf-8")))
    with gunicorn(ahead) as ask:
        workers, keys = served(ask, workers=3)
        assert 1 == len(keys)
        assert 1 == len(pod.sts.requests)  # of the main process, before its fork

        pod.sts.latency_s = 0.5  # one background refresh in each worker
        temporary = tmp_path / "new"
        temporary.write_text("2400", encoding="utf-8")
        temporary.replace(ahead)
        assert keys == {ask()[1] for _ in range(20)}
        eventually(lambda: not keys & served(ask, workers=3)[1])
        assert workers == served(ask, workers=3)[0]
        assert 1 + len(workers) == len(pod.sts.requests)


@pytest.mark.parametrize("how", ["after-warm-up", "signing-at-exit"])
def test_interpreter_ends_without_output(pod: Emulator, how: str) -> None:
    if how == "after-warm-up":
        pod.sts.inject(Fault.hang(HANGS_S))
    ran = run("leaving.py", ROLE, how, timeout_s=HANGS_S / 2)
    assert "" == ran.stderr
    assert ran.stdout


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent to a whole console there")
def test_ctrl_c_while_waiting_for_the_first_credentials(pod: Emulator) -> None:
    pod.sts.inject(Fault.hang(HANGS_S))
    with started("leaving.py", ROLE, "waiting") as process:
        assert process.stdout is not None
        assert "asking\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=HANGS_S / 2)
    assert ("interrupted\n", "", 130) == (output, errors, process.returncode)


def run(program: str, *arguments: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end, in this pod."""
    return subprocess.run(
        [sys.executable, str(PROGRAMS / program), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


@contextlib.contextmanager
def started(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of the programs until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Ask:
    """GET / of the web server: returns the worker that answered, and its key."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self) -> tuple[int, str]:
        with self._direct.open(self._url, timeout=10) as answer:
            pid, key = json.load(answer)
        return pid, key

    def is_up(self) -> bool:
        try:
            self()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def gunicorn(ahead: Path) -> Iterator[Ask]:
    """Run three workers of two threads, forked from a process that has loaded the application."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--preload", "--workers=3", "--threads=2", "--log-level=error"]
    where = [f"--bind=127.0.0.1:{port}", f"--pythonpath={PROGRAMS}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, *where, "web:app"],
        env=os.environ | {"AHEAD_FILE": str(ahead), "ROLE": ROLE},
    )
    ask = Ask(port)
    try:
        eventually(ask.is_up)
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def served(ask: Ask, *, workers: int) -> tuple[set[int], set[str]]:
    """Return the workers and their keys, once each worker has answered."""
    heard: dict[int, str] = {}
    lock = threading.Lock()

    def request_once() -> None:
        pid, key = ask()
        with lock:
            heard[pid] = key

    def round_of_requests() -> bool:
        asking = [threading.Thread(target=request_once) for _ in range(12)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(20)
        return len(heard) == workers

    eventually(round_of_requests)
    return set(heard), set(heard.values())
