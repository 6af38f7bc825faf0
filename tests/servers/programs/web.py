"""A typical WSGI application: the client is made on import.

Under `gcp-aws-bridge run`, its session is one of boto3 without a role.

Every answer contains the process id, the key that signed the request, and how often another thread
(a greenlet, if the server has patched threads) ran meanwhile. A file sets the clock of the cached
credentials.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._cache.sharing import registry

AHEAD = Path(os.environ["AHEAD_FILE"])


def ahead_s() -> float:
    return float(AHEAD.read_text(encoding="utf-8"))


registry.world = World(
    clock=lambda: utc_now() + timedelta(seconds=ahead_s()),
    monotonic=lambda: time.monotonic() + ahead_s(),
)
session = (
    boto3.Session(region_name="us-east-1")
    if "GCP_AWS_BRIDGE_INSTALL" in os.environ
    else bridge.session("arn:aws:iam::123456789012:role/etl", region_name="us-east-1")
)
client = session.client("sts")
ticks: dict[int, int] = {}  # by process


def tick(pid: int) -> None:
    while True:
        ticks[pid] += 1
        time.sleep(0.01)


def seen() -> dict[str, Any]:
    """Sign a request and return what this process sees."""
    pid = os.getpid()
    if pid not in ticks:
        ticks[pid] = 0
        threading.Thread(target=tick, args=(pid,), daemon=True).start()
    before = ticks[pid]
    try:
        key = session.get_credentials().get_frozen_credentials().access_key
        waited = ticks[pid] - before
        arn = client.get_caller_identity()["Arn"]
    except Exception as error:  # noqa: BLE001 - part of the answer
        return {"pid": pid, "error": f"{type(error).__name__}: {error}"}
    return {"pid": pid, "key": key, "ticks": waited, "arn": arn}


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    body = json.dumps(seen()).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Connection", "close")])
    return [body]
