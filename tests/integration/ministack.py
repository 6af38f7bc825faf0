"""MiniStack as a separate server: an IAM and an STS that enforce trust policies of chained roles.

It accepts any web identity token, which the tests of SeaweedFS cover. It listens on loopback.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

_STARTS_WITHIN_S = 60.0
# MiniStack's name for the account's root user.
_ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def is_installed() -> bool:
    return importlib.util.find_spec("ministack") is not None


@contextlib.contextmanager
def ministack(directory: Path) -> Iterator[str]:
    """Serve IAM and STS on one loopback port, with the permissions of callers; yield the URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    ours = ("AWS_", "GCP_", "GCE_", "GOOGLE_", "GATEWAY_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environ |= {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "iam,sts",
        "TMPDIR": str(directory),
    }
    log = directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environ,
            cwd=directory,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, url, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def root_client(service: str, url: str, account: str) -> Any:
    """Return a client of the root user of *account*, by whose number MiniStack knows the key."""
    keys = {**_ROOT, "aws_access_key_id": account}
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(service, region_name="us-east-1", endpoint_url=url, config=config, **keys)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    stop = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < stop:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"MiniStack did not start.\n{log.read_text(errors='replace')[-4000:]}")
