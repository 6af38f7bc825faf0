"""Real gunicorn with threads or greenlets as workers, with and without --preload."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers.conftest import PROGRAMS, Servers, ask, each_process, free_port

pytest.importorskip("gunicorn")
PATCH_FIRST = ("--config", str(PROGRAMS / "patch_first.py"))
WORKERS = 2


def command(worker: str, port: int, *options: str) -> list[str | Path]:
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS)]
    kind = ["--worker-class", worker, *(["--threads", "8"] if worker == "gthread" else [])]
    return [*gunicorn, *kind, "--bind", f"127.0.0.1:{port}", *options, "web:application"]


@pytest.mark.parametrize(
    ("worker", "options"),
    [
        ("gthread", ()),
        ("gthread", ("--preload",)),
        ("gevent", ()),
        ("gevent", ("--preload", *PATCH_FIRST)),
        ("eventlet", ()),
        ("eventlet", ("--preload", *PATCH_FIRST)),
    ],
    ids=lambda value: value if isinstance(value, str) else "preload" if value else "",
)
def test_worker_makes_one_exchange_at_a_time_and_blocks_no_other_request(
    servers: Servers, worker: str, options: tuple[str, ...]
) -> None:
    pytest.importorskip("eventlet" if worker == "eventlet" else "gevent")
    port = free_port()
    with servers.running(command(worker, port, *options), WORKER_CLASS=worker):
        servers.use_each_process(lambda: ask(f"http://127.0.0.1:{port}/"), WORKERS, bool(options))


@pytest.mark.parametrize("worker", ["gevent", "eventlet"])
def test_error_with_preload_before_the_patch_names_the_order(servers: Servers, worker: str) -> None:
    pytest.importorskip(worker)
    port = free_port()
    with servers.running(command(worker, port, "--preload", "--graceful-timeout", "1")):
        [*answers] = each_process(lambda: ask(f"http://127.0.0.1:{port}/"), 1).values()
    for answer in answers[0]:
        assert f"{worker} patched ssl after it was imported" in answer["error"]
        assert f"gunicorn -k {worker}, leave out --preload" in answer["error"]
        assert "[config/patched-late]" in answer["error"]
