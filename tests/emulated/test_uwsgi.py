"""Real uWSGI, whose master forks without Python's hooks, with and without threads."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gcp_aws_bridge.emulator import Emulator

APP = Path(__file__).with_name("programs") / "uwsgi_app.py"
UWSGI = shutil.which("uwsgi")

pytestmark = pytest.mark.skipif(UWSGI is None, reason="uWSGI is not installed")


@contextmanager
def serving(*options: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = [path for path in sys.path if path]
    command = [str(UWSGI), "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "2"]
    command += ["--die-on-term", "--wsgi-file", str(APP), "--need-app", *options]
    command += [option for path in paths for option in ("--pythonpath", path)]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def ask(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:  # noqa: PERF203 - until it listens
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(
    "options", [(), ("--lazy-apps",), ("--enable-threads",)], ids=["default", "lazy", "threads"]
)
def test_the_first_request_of_each_worker_is_answered(
    pod: Emulator, options: tuple[str, ...]
) -> None:
    pod.sts.latency_s = 0.2  # the refresh that the master began is under way when it forks
    answers: dict[int, list[dict[str, Any]]] = {}
    with serving(*options) as url:
        for _ in range(200):
            found = ask(url)
            answers.setdefault(found["worker"], []).append(found)
            if len(answers) == 2:
                break
    assert {1, 2} == {*answers}
    for first, *_ in answers.values():
        assert ":assumed-role/etl/" in first["arn"]
        assert first["seconds"] < 60  # and not the 90 s that a caller waits for another thread
