"""Row: the latency of `gcp-aws-bridge webhook` in a burst of pods."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import trustme
from prometheus_client.parser import text_string_to_metric_families

from .processes import PEERS, Bench, ProgramFailed
from .report import Line, Verdict

_PODS, _CONNECTIONS, _BURSTS = 1000, 20, 5
_GOAL_MS = 10
_STARTS_WITHIN_S = 30


def measure(bench: Bench) -> list[Line]:
    """Create pods of one service account, over TLS; each burst begins with a request for it."""
    what = f"{_PODS:,} pods in a burst on {_CONNECTIONS} connections"
    if sys.platform != "linux":
        return [Line(what, "gcp-aws-bridge webhook", "not run: /proc is Linux's")]
    files = _certificate(bench.folder)
    port, status_port = _free_ports()
    status_url = f"http://127.0.0.1:{status_port}"
    api = [sys.executable, str(PEERS / "api_server.py"), str(bench.folder)]
    with bench.beside(api, variables=1) as (_, variables):
        command = [
            *("env", *(f"{name}={value}" for name, value in variables.items())),
            *("gcp-aws-bridge", "webhook", *files, "--host=127.0.0.1", f"--port={port}"),
            *("--status-host=127.0.0.1", f"--status-port={status_port}"),
        ]
        with bench.beside(command, variables=0) as (pid, _):
            _wait_for(f"{status_url}/readyz")
            idle_mb = _resident_mb(pid)
            before_s = _processor_s(pid)
            asking = (f"https://127.0.0.1:{port}", str(bench.folder / "ca.crt"))
            bursts = [
                bench.ask("admissions.py", *asking, str(_PODS), str(_CONNECTIONS))
                for _ in range(bench.rounds(_BURSTS))
            ]
            processor_s = _processor_s(pid) - before_s
            own_ms = _own_p99_ms(f"{status_url}/metrics")
    return [_line(what, bursts, own_ms, processor_s, idle_mb)]


def _line(
    what: str, bursts: list[dict[str, Any]], own_ms: float, processor_s: float, idle_mb: float
) -> Line:
    p99_ms = [statistics.quantiles(one["latency_us"], n=100)[98] / 1000 for one in bursts]
    p50_ms = [statistics.median(one["latency_us"]) / 1000 for one in bursts]
    failed = sum(one["failed"] for one in bursts)
    answers = sum(len(one["latency_us"]) for one in bursts)
    return Line(
        what,
        "gcp-aws-bridge webhook",
        f"client: p50 {statistics.median(p50_ms):.1f} ms, p99 {statistics.median(p99_ms):.1f} ms; "
        f"own histogram: p99 <= {own_ms:g} ms; processor {processor_s / answers * 1000:.2f} ms for "
        f"an answer; {failed} failed of {answers:,}; {idle_mb:.1f} MB resident before",
        goal=f"own p99 < {_GOAL_MS} ms, 0 failed",
        verdict=Verdict.of(own_ms <= _GOAL_MS and not failed),
        raw={"bursts": bursts, "processor_s": processor_s, "idle_mb": idle_mb},
    )


def _certificate(folder: Path) -> list[str]:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "tls.pem"))
    path = folder / "tls.pem"
    return [f"--tls-cert-file={path}", f"--tls-key-file={path}"]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _wait_for(url: str) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):  # not listening, or not ready (HTTPError)
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise ProgramFailed(f"{url} is not ready")


def _own_p99_ms(url: str) -> float:
    """Return the smallest bound of the histogram with 99 % of the answers."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    buckets = {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "gcp_aws_bridge_admission_seconds_bucket"
    }
    enough = 0.99 * buckets[float("inf")]
    return min(bound for bound, count in buckets.items() if count >= enough) * 1000


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e6
