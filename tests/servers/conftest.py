from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gcp_aws_bridge.testing import GkePod

PROGRAMS = Path(__file__).with_name("programs")
ROLE = "arn:aws:iam::123456789012:role/etl"
SLOW_S = 0.5
PATIENCE_S = 60


class Servers:
    """Starts servers in a pod whose STS takes `SLOW_S` seconds, and moves the clocks of both."""

    def __init__(self, pod: GkePod, folder: Path) -> None:
        self.pod = pod
        self.folder = folder
        self._ahead_s = 0.0
        self.travel(0)

    def travel(self, seconds: float) -> None:
        self._ahead_s += seconds
        self.pod.advance(seconds)
        file = self.folder / "ahead"
        file.with_suffix(".new").write_text(str(self._ahead_s), encoding="utf-8")
        file.with_suffix(".new").replace(file)

    @contextlib.contextmanager
    def running(self, command: Sequence[str | Path], **environ: str) -> Iterator[subprocess.Popen]:
        """Run a server, which must end within 30 s of SIGTERM.

        uWSGI loses the signal until its main loop runs, which may be after the first answer.
        """
        paths = [str(PROGRAMS), *(path for path in sys.path if path)]
        own = {"AHEAD_FILE": str(self.folder / "ahead"), "PYTHONPATH": os.pathsep.join(paths)}
        with (self.folder / "log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **own, **environ}, stdout=log, stderr=log
            )
            try:
                yield process
            finally:
                process.terminate()
                try:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(5)
                    process.terminate()
                    process.wait(25)
                finally:
                    process.kill()
                    print((self.folder / "log").read_text(encoding="utf-8"))

    def use_each_process(self, work: Callable[[], Any], processes: int, forks: bool) -> None:
        """Take processes through a first exchange, a refresh and the expiration of all credentials.

        Args:
            work: Lets one of the processes sign a request; returns the result of `web.seen`.
            forks: The processes are forked from one that has begun its own exchange.
        """
        first = each_process(work, processes)
        assert {True} == {":assumed-role/etl/" in each["arn"] for each in flat(first)}
        made = self.pod.exchanges
        # gevent copies greenlets to a forked process: a pending exchange of the parent is completed
        # in the parent and in each copy.
        assert made in (range(1, 2 * processes + 2) if forks else [processes])
        self.travel(2400)  # a refresh is due; the old credentials are still valid
        replaced: set[int] = set()
        while len(replaced) < processes:
            for pid, answers in each_process(work, processes).items():
                if first[pid][0]["key"] != answers[-1]["key"]:
                    replaced.add(pid)
        assert made + processes == self.pod.exchanges
        self.travel(7200)  # all have expired: callers wait for one exchange in each process
        last = each_process(work, processes)
        assert made + 2 * processes == self.pod.exchanges
        for answers in last.values():
            assert 1 == len({answer["key"] for answer in answers})
            # Another thread or greenlet runs every 10 ms, unless the exchange blocks all.
            assert max(answer["ticks"] for answer in answers) > 10


@pytest.fixture
def servers(gke_pod: GkePod, tmp_path: Path) -> Servers:
    gke_pod.add_role(ROLE)
    gke_pod.cloud.sts.latency_s = SLOW_S
    return Servers(gke_pod, tmp_path)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def ask(url: str) -> Any:
    """Return the answer of the server at *url*, once it listens."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except OSError:  # noqa: PERF203 - until it listens
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def flat(answers: dict[int, list[Any]]) -> list[Any]:
    return [answer for some in answers.values() for answer in some]


def each_process(work: Callable[[], Any], processes: int) -> dict[int, list[Any]]:
    """Run *work* eight times in parallel until *processes* have answered; return answers by pid."""
    answers: dict[int, list[Any]] = {}
    with ThreadPoolExecutor(8) as pool:
        for _ in range(30):
            for answer in pool.map(lambda _: work(), range(8)):
                answers.setdefault(answer["pid"], []).append(answer)
            if len(answers) == processes:
                return answers
    raise AssertionError(f"answers came from {[*answers]} only")
