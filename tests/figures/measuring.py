"""Measurements for the pictures, by the benchmark programs. Takes minutes."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import data

ROWS = ("outage", "sessions", "first-call")
_LANES = {
    "bridge.credentials": "gcp-aws-bridge",
    "recipe (RefreshableCredentials)": "botocore's RefreshableCredentials",
    "recipe, AWS_RETRY_MODE=legacy": "the same, AWS_RETRY_MODE=legacy",
}
_METHODS = {
    "static keys": "static keys, nothing to exchange",
    "bridge.session": "bridge.session()",
    "bridge.install": "bridge.install()",
    "recipe (google-auth, boto3)": "recipe: google-auth, boto3",
    "credential_process (curl, aws, jq)": "credential_process: curl, AWS CLI, jq",
}
# The name and the load of a machine are not published.
_NO_VERSIONS = ("from", "load before")
# A wait that the benchmark counts.
_LONG_S = 0.05


def measure(names: Collection[str]) -> None:
    """Run the benchmarks *names*, and write the parts of the results that the pictures need."""
    rows = [word for row in ROWS if row in names for word in ("--only", row)]
    if not rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.json"
        command = [sys.executable, "-m", "tests.benchmarks", *rows, "--json", str(path)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        keep(json.loads(path.read_text(encoding="utf-8")))


def keep(report: Mapping[str, Any]) -> None:
    """Write the parts of the benchmark's JSON that the pictures need."""
    versions = {
        name: value
        for name, value in report["versions"].items()
        if name not in _NO_VERSIONS and value != "not installed"
    }
    lines = report["lines"]
    hours = [line for line in lines if "steps" in line["raw"]]
    sessions = [line for line in lines if "sessions_sts_metadata" in line["raw"]]
    methods = [line for line in lines if line["contender"] in _METHODS and "cpu_ms" in line["raw"]]
    measured: dict[str, dict[str, Any]] = {}
    if hours:
        lanes = [lane(_LANES[line["contender"]], line["raw"]) for line in hours]
        measured["outage"] = {"refuses_from_s": 31 * 60, "lanes": lanes}
    if sessions:
        measured["sessions"] = {
            re.split(r"\W", line["contender"])[0]: line["raw"]["sessions_sts_metadata"]
            for line in sessions
        }
    if methods:
        measured["first-call"] = {"methods": [method(line) for line in methods]}
    for name, document in measured.items():
        data.write(name, f"python -m tests.benchmarks --only {name}", versions, **document)


def lane(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return one contender's hour: spans of one state each, and the times of requests to STS."""
    spans: list[tuple[float, float, str]] = []
    requests_s, before = [], 0
    steps = raw["steps"]
    ends = [step[0] for step in steps[1:]] + [3600.0]
    for (at_s, failed, wait_s, requests), end_s in zip(steps, ends, strict=True):
        state = "signing fails" if failed else "callers wait" if wait_s > _LONG_S else "served"
        if spans and spans[-1][2] == state:
            spans[-1] = (spans[-1][0], round(end_s), state)
        else:
            spans.append((round(at_s), round(end_s), state))
        if requests > before:
            requests_s.append(round(at_s))
        before = requests
    summary = (
        f"{raw['failed']:,} of {raw['signings']:,} signatures fail, {raw['over_50_ms']:,} wait"
    )
    return {"name": name, "summary": summary, "spans": spans, "requests_s": requests_s}


def method(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return one bar."""
    wall_ms: Sequence[float] = line["raw"]["wall_ms"]
    return {
        "name": _METHODS[line["contender"]],
        "ours": line["contender"].startswith("bridge"),
        "runs": len(wall_ms),
        "median_ms": round(statistics.median(wall_ms), 1),
        "ratio": round(line["ratio"], 2) if line["contender"] != "static keys" else None,
    }
