"""Real uWSGI, whose main process forks without Python's hooks, with and without threads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from servers.conftest import PROGRAMS, Servers, ask, each_process, flat, free_port

UWSGI = shutil.which("uwsgi")
WORKERS = 2

pytestmark = pytest.mark.skipif(UWSGI is None, reason="uWSGI is not installed")


def command(port: int, *options: str) -> list[str | Path]:
    uwsgi = [str(UWSGI), "--http-socket", f"127.0.0.1:{port}", "--master", "--die-on-term"]
    workers = ["--processes", str(WORKERS), "--pythonpath", str(PROGRAMS), "--need-app"]
    return [*uwsgi, *workers, "--module", "web:application", *options]


@pytest.mark.parametrize(
    "options", [(), ("--lazy-apps",), ("--enable-threads",)], ids=["default", "lazy", "threads"]
)
def test_worker_makes_its_own_exchange_and_waits_for_no_thread_of_its_parent(
    servers: Servers, options: tuple[str, ...]
) -> None:
    port = free_port()

    def answer() -> object:
        return ask(f"http://127.0.0.1:{port}/")

    with servers.running(command(port, *options)):
        first = each_process(answer, WORKERS)
        assert {True} == {":assumed-role/etl/" in each["arn"] for each in flat(first)}
        assert WORKERS == servers.pod.exchanges
        servers.travel(7200)
        each_process(answer, WORKERS)
        assert 2 * WORKERS == servers.pod.exchanges
