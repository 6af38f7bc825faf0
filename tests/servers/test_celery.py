"""Real Celery workers: greenlets in one process, and forked processes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from servers.conftest import PATIENCE_S, PROGRAMS, Servers

pytest.importorskip("celery")
# Celery and its transports, imported here to send tasks.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def sender(servers: Servers, patch: pytest.MonkeyPatch) -> Any:
    """Return Celery's application, for a process that only sends tasks."""
    for name in ("queue", "results", "control"):
        (servers.folder / name).mkdir()
    patch.setenv("BROKER_FOLDER", str(servers.folder))
    patch.syspath_prepend(str(PROGRAMS))
    patch.delitem(sys.modules, "broker", raising=False)
    return importlib.import_module("broker").app


def worker(pool: str, processes: int) -> list[str | Path]:
    """Return the command of a worker: 8 greenlets in a process, or that number of processes."""
    size = "8" if pool == "gevent" else str(processes)
    command: list[str | Path] = [sys.executable, "-m", "celery", "-A", "tasks", "worker"]
    options = ["--pool", pool, "--concurrency", size, "--prefetch-multiplier", "1"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-O", "fair"]
    return [*command, *options, *quiet]


@pytest.mark.parametrize(("pool", "processes"), [("gevent", 1), ("prefork", 2)])
def test_process_makes_one_exchange_at_a_time_and_blocks_no_other_task(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, pool: str, processes: int
) -> None:
    pytest.importorskip(pool if pool == "gevent" else "billiard")
    app = sender(servers, monkeypatch)

    def work() -> Any:
        return app.send_task("sign").get(timeout=PATIENCE_S, interval=0.02)

    with servers.running(worker(pool, processes)):
        servers.use_each_process(work, processes, forks=pool == "prefork")
