"""Measuring anew what the pictures show. Minutes; the bench says how it does it."""

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
_ROADS = {
    "static keys": "static keys, nothing to exchange",
    "bridge.session": "bridge.session()",
    "bridge.install": "bridge.install()",
    "recipe (google-auth, boto3)": "recipe: google-auth, boto3",
    "credential_process (curl, aws, jq)": "credential_process: curl, AWS CLI, jq",
}
# What a machine is called or does beside is no part of a measurement.
_NO_VERSIONS = ("from", "load before")
# A wait that the bench counts.
_LONG_S = 0.05


def measure(names: Collection[str]) -> None:
    """Run the bench's rows of that name, and keep what pictures need of them."""
    rows = [word for row in ROWS if row in names for word in ("--only", row)]
    if not rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.json"
        command = [sys.executable, "-m", "tests.benchmarks", *rows, "--json", str(path)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        keep(json.loads(path.read_text(encoding="utf-8")))


def keep(report: Mapping[str, Any]) -> None:
    """Keep what pictures need of the bench's JSON, whichever rows are in it."""
    versions = {
        name: value
        for name, value in report["versions"].items()
        if name not in _NO_VERSIONS and value != "not installed"
    }
    lines = report["lines"]
    hours = [line for line in lines if "steps" in line["raw"]]
    sessions = [line for line in lines if "sessions_sts_metadata" in line["raw"]]
    roads = [line for line in lines if line["contender"] in _ROADS and "cpu_ms" in line["raw"]]
    measured: dict[str, dict[str, Any]] = {}
    if hours:
        lanes = [lane(_LANES[line["contender"]], line["raw"]) for line in hours]
        measured["outage"] = {"refuses_from_s": 31 * 60, "lanes": lanes}
    if sessions:
        measured["sessions"] = {
            re.split(r"\W", line["contender"])[0]: line["raw"]["sessions_sts_metadata"]
            for line in sessions
        }
    if roads:
        measured["first-call"] = {"roads": [road(line) for line in roads]}
    for name, document in measured.items():
        data.write(name, f"python -m tests.benchmarks --only {name}", versions, **document)


def lane(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What one contender's hour came to: spans of one state each, and when STS was asked."""
    spans: list[tuple[float, float, str]] = []
    asked_s, before = [], 0
    steps = raw["steps"]
    ends = [step[0] for step in steps[1:]] + [3600.0]
    for (at_s, failed, wait_s, requests), end_s in zip(steps, ends, strict=True):
        state = "signing fails" if failed else "callers wait" if wait_s > _LONG_S else "served"
        if spans and spans[-1][2] == state:
            spans[-1] = (spans[-1][0], round(end_s), state)
        else:
            spans.append((round(at_s), round(end_s), state))
        if requests > before:
            asked_s.append(round(at_s))
        before = requests
    said = f"{raw['failed']:,} of {raw['signings']:,} signatures fail, {raw['over_50_ms']:,} wait"
    return {"name": name, "said": said, "spans": spans, "asked_s": asked_s}


def road(line: Mapping[str, Any]) -> dict[str, Any]:
    """One bar."""
    wall_ms: Sequence[float] = line["raw"]["wall_ms"]
    return {
        "name": _ROADS[line["contender"]],
        "ours": line["contender"].startswith("bridge"),
        "runs": len(wall_ms),
        "median_ms": round(statistics.median(wall_ms), 1),
        "ratio": round(line["ratio"], 2) if line["contender"] != "static keys" else None,
    }
