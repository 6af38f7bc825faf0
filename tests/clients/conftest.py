"""The clouds that others' clients meet: our emulator for Google and STS, moto for S3."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.testing import GkePod

if TYPE_CHECKING:
    from google_apis import GoogleApis
    from setup_runs import SetupMachine
    from storage import S3

ROLE = "arn:aws:iam::123456789012:role/etl"
PROGRAMS = Path(__file__).parent / "programs"
BRIDGE = [sys.executable, str(PROGRAMS / "ahead.py")]
INSTALLED = [str(Path(sys.executable).parent / "gcp-aws-bridge")]
# By the clients' clock, credentials of an hour that were got now end in three minutes: most SDKs
# ask for others then (botocore from 15 minutes before the end, JavaScript and object_store from 5).
FIRST_S = -57 * 60.0
LATER_S = FIRST_S + 40 * 60


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
            "AWS_ALLOW_HTTP": "true",  # object_store's: moto has no TLS
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

    @contextmanager
    def serving(self, bridge: list[str], *options: str) -> Iterator[dict[str, str]]:
        """The variables of a `serve` that runs beside the program."""
        file = str(self.folder / "authorization")
        serve = ["serve", "--port=0", "--quiet", "--shell=dotenv", f"--token-file={file}", *options]
        with self.running(*bridge, *serve) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(2)]
            yield dict(line.split("=", 1) for line in lines)

    def profile(self, bridge: list[str]) -> dict[str, str]:
        """Return an environment in which an AWS profile has the role."""
        config = self.folder / "config"
        line = f"credential_process = {' '.join(bridge)} credential-process"
        config.write_text(f"[profile etl]\n{line}\n", encoding="utf-8")
        return {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "etl"}

    def signers(self, read: Callable[[], str]) -> set[str]:
        """The keys that sign while *read* reads."""
        self.s3.keys.clear()
        assert "hello" == read()
        return set(self.s3.keys)

    def uses(self, read: Callable[[], str]) -> None:
        """Hold that *read* reads, with one set of credentials, and with another after a refresh."""
        first = self.signers(read)
        assert 1 == len(first)
        assert first == self.signers(read)
        self.travel_to(LATER_S)
        # The refresh is in the background: some requests may get the first credentials.
        deadline = time.monotonic() + 5
        while first & (then := self.signers(read)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert 1 == len(then)
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
def s3(gke_pod: GkePod) -> Iterator[S3]:
    pytest.importorskip("moto.server")
    from storage import S3  # imports moto

    served = S3(gke_pod.cloud)
    yield served
    served.stop()


@pytest.fixture
def pod(gke_pod: GkePod, s3: S3, tmp_path: Path, home: Path) -> Pod:
    gke_pod.add_role(ROLE)
    return Pod(gke_pod.cloud, s3, tmp_path)


@pytest.fixture
def served(pod: Pod) -> Iterator[dict[str, str]]:
    """The variables of a `serve` that runs beside the program."""
    with pod.serving(BRIDGE) as variables:
        yield variables


@pytest.fixture
def real_gcloud(clouds: SetupMachine, tmp_path: Path) -> Iterator[GoogleApis]:
    """Google's APIs on loopback for the real gcloud, which replaces the stand-in."""
    import google_apis

    found = shutil.which("gcloud")
    if found is None:
        pytest.skip("no gcloud here")
    (clouds.bin / "gcloud").unlink()
    clouds.environ["PATH"] += f"{os.pathsep}{Path(found).parent}"
    with google_apis.serving(tmp_path) as (apis, environ):
        clouds.environ |= environ
        yield apis
