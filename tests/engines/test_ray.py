"""Ray's tasks, actors and data sets: one exchange for each worker process."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import gcp_aws_bridge as bridge

from .conftest import OBJECTS, PARTS, ROLE, WORKERS, Job, needs, run_block

pytestmark = [
    needs("ray", "s3fs", "pyarrow", "pandas"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore", "error:::gcp_aws_bridge"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: Ray's sockets are in it, and a socket's path has at most 107 characters."""
    path = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    yield Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def ray(job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start Ray's processes on loopback, with the environment of the test."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # otherwise 15, behind all else on the machine
    # Ray keeps the token of the first cluster of a process; each test has a home of its own.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    stack = contextlib.ExitStack()
    stack.enter_context(patch.dict(os.environ))  # ray adds variables
    import ray

    stack.callback(ray.shutdown)
    with stack:
        ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
            object_store_memory=100_000_000,
            logging_level="warning",
        )
        yield ray


@pytest.fixture
def meeting() -> Iterator[str]:
    """Return a URL that answers when each worker has sent a request, so that none is idle."""
    barrier = threading.Barrier(WORKERS)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            barrier.wait(120)
            self.send_response(200)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_each_ray_worker_exchanges_once_refreshes_and_survives_an_outage(
    job: Job, ray: Any, meeting: str
) -> None:
    session = bridge.session(ROLE)

    @ray.remote(max_retries=0)
    def read(session: Any, key: str, round: int, url: str) -> tuple[str, int]:
        import urllib.request

        if os.environ.get("ROUND") != str(round):  # the first task of this process
            os.environ["ROUND"] = str(round)
            urllib.request.urlopen(url, timeout=120).close()
        body = session.client("s3").get_object(Bucket="bucket", Key=key)["Body"].read()
        return f"numbers/{body.decode()}", os.getpid()

    numbers = itertools.count()

    def run() -> set[int]:
        number = next(numbers)
        found = ray.get([read.remote(session, key, number, meeting) for key in OBJECTS])
        assert [key for key, _ in found] == OBJECTS
        return {pid for _, pid in found}

    pids = run()
    assert len(pids) == WORKERS == len(set(job.s3.keys))
    assert os.getpid() not in pids
    job.refreshes(run, pids)


def test_code_of_the_page_runs_in_ray(job: Job, ray: Any, folder: Path) -> None:
    import pandas

    for number in range(8):
        body = pandas.DataFrame({"number": [number, number]}).to_parquet()
        job.s3.owner.put_object(Bucket="bucket", Key=f"table/{number}.parquet", Body=body)
    found = run_block("ray")
    assert [len(str(number)) for number in range(PARTS)] == found["sizes"]
    assert b"hello" == found["word"]
    assert 2 * sum(range(8)) == run_block("ray-data")["total"]
    written = job.s3.owner.list_objects_v2(Bucket="bucket", Prefix="copy-of-table/")
    assert written["KeyCount"]
    # Each worker has a log with its process id. This process lists the files of the data set.
    workers = {file.stem.rpartition("-")[2] for file in folder.glob("session_2*/logs/worker-*.out")}
    assert job.exchanges == len(set(job.s3.keys)) <= len(workers) + 1
