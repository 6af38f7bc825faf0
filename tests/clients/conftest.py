"""The clouds that others' clients meet: our emulator for Google and STS, moto for S3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from gcp_aws_bridge._world import utc_now
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
PROGRAMS = Path(__file__).parent / "programs"
BRIDGE = [sys.executable, str(PROGRAMS / "ahead.py")]
# By the clients' clock, credentials of an hour that were got now end in three minutes: most SDKs
# ask for others then (botocore from 15 minutes before the end, JavaScript and object_store from 5).
FIRST_S = -57 * 60.0
LATER_S = FIRST_S + 40 * 60


class S3:
    """moto's, and by which keys its requests were signed."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.keys: list[str] = []
        moto = DomainDispatcherApplication(create_backend_app)

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            signed = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
            self.keys.append(signed[1] if signed else "unsigned")
            return moto(environ, start_response)

        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        mine = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()  # it is one for all
        for bucket in ("bucket", "tables"):
            mine.create_bucket(Bucket=bucket)
        mine.put_object(Bucket="bucket", Key="word", Body=b"hello")
        self.keys.clear()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


class Pod:
    """Where clients run: its clouds, its environment, and the clock that moves."""

    def __init__(self, cloud: Emulator, s3: S3, folder: Path) -> None:
        self.cloud, self.s3, self.folder = cloud, s3, folder
        self._ahead = folder / "ahead"
        self.travel_to(FIRST_S)
        cloud.clock = lambda: utc_now() + timedelta(seconds=float(self._ahead.read_text()))
        self.environ = {
            **os.environ,
            "AHEAD_FILE": str(self._ahead),
            "AWS_ENDPOINT_URL_S3": s3.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "GCP_AWS_BRIDGE_ROLE_ARN": ROLE,
            "GCP_AWS_BRIDGE_CACHE_DIR": str(folder),
        }

    def travel_to(self, ahead_s: float) -> None:
        new = self.folder / "new"
        new.write_text(str(ahead_s), encoding="utf-8")
        new.replace(self._ahead)

    @contextmanager
    def running(self, *command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """A program, with pipes to it, until the end of the block."""
        with subprocess.Popen(
            command,
            env={**self.environ, **more},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def uses(self, read: Callable[[], str], *, patience_s: float = 5) -> None:
        """Hold that *read* reads, with one set of credentials, and with another after a refresh.

        Args:
            patience_s: For how long the client may go on with the first ones.
        """
        assert "hello" == read()
        first = set(self.s3.keys)
        assert (1, "ASIA") == (len(first), min(first)[:4])
        assert "hello" == read()
        assert first == set(self.s3.keys)
        self.travel_to(LATER_S)

        def signed_anew() -> bool:
            self.s3.keys.clear()
            assert "hello" == read()
            return first.isdisjoint(self.s3.keys)

        deadline = time.monotonic() + patience_s
        while not signed_anew():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert 1 == len(set(self.s3.keys))
        exchanges = [r for r in self.cloud.sts.requests if r.status == 200]
        assert 2 == len(exchanges)


def talking(process: subprocess.Popen[str]) -> Callable[[], str]:
    """A line to the program, and what it says to that."""
    assert process.stdin is not None
    assert process.stdout is not None
    reads, writes = process.stdout, process.stdin

    def say() -> str:
        writes.write("\n")
        writes.flush()
        return reads.readline().strip()

    return say


@pytest.fixture
def s3() -> Iterator[S3]:
    pytest.importorskip("moto.server")
    served = S3()
    yield served
    served.stop()


@pytest.fixture
def pod(gke_pod: Emulator, s3: S3, tmp_path: Path, home: Path) -> Pod:
    gke_pod.add_role(ROLE)
    return Pod(gke_pod, s3, tmp_path)


@pytest.fixture
def served(pod: Pod) -> Iterator[dict[str, str]]:
    """The variables of a `serve` that runs beside the program."""
    file = str(pod.folder / "authorization")
    with pod.running(*BRIDGE, "serve", "--port=0", "--quiet", f"--token-file={file}") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(2)]
        yield dict(line.split("=", 1) for line in lines)
