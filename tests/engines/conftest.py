"""A pod whose clocks, also those of worker processes, follow a file; and moto's S3."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import eventually

from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.testing import GkePod

pytest.importorskip("moto.server")
from storage import S3

ROLE = "arn:aws:iam::123456789012:role/etl"
PAGE = Path(__file__).parents[2] / "docs/how-to/distributed.md"
WORKER = Path(__file__).with_name("worker")
WORKERS, PARTS = 4, 64
OBJECTS = [f"numbers/{number}" for number in range(PARTS)]
MINUTE_S = 60.0


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip if a module is not installed; in `nox -s engines` all must be installed."""
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if os.environ.get("NOX_CURRENT_SESSION", "").partition("-")[0] == "engines":
        assert not absent, f"{absent} must be installed here"
    return pytest.mark.skipif(bool(absent), reason=f"without {', '.join(absent)}: nox -s engines")


def block(name: str) -> str:
    """Return the Python code of the page after the comment `<!-- test: NAME -->`."""
    [code] = re.findall(
        rf"<!-- test: {name} -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S
    )
    return str(code)


def run_block(name: str, **names: Any) -> dict[str, Any]:
    """Run a block of the page as a program's main module, whose functions pickle by value."""
    names = {"__name__": "__main__", **names}
    exec(compile(block(name), f"<page: {name}>", "exec"), names)
    return names


class Clock:
    """The time of a cloud and of all worker processes: the machine's, ahead by what a file says."""

    def __init__(self, file: Path, patch: pytest.MonkeyPatch) -> None:
        self._file = file
        self._patch = patch
        self.travel(to_s=0)

    def move(self, cloud: Emulator) -> None:
        """Let *cloud* go by this clock until the end of the test."""
        self._patch.setattr(cloud, "clock", lambda: utc_now() + timedelta(seconds=self.ahead_s))

    @property
    def ahead_s(self) -> float:
        return float(self._file.read_text(encoding="utf-8"))

    def travel(self, *, to_s: float) -> None:
        """Set all clocks, atomically: workers read the file at any time."""
        new = self._file.with_suffix(".new")
        new.write_text(str(to_s), encoding="utf-8")
        new.replace(self._file)


@pytest.fixture
def clock(home: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of worker processes that start from now on."""
    monkeypatch.setenv("AHEAD_FILE", str(tmp_path / "ahead"))
    monkeypatch.setenv("PYTHONPATH", str(WORKER))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return Clock(tmp_path / "ahead", monkeypatch)


class Job:
    """A job's role, its S3, and the clocks of its workers.

    Attributes:
        s3: Has `bucket/numbers/0` to `bucket/numbers/63`, each with its number.
    """

    def __init__(self, pod: GkePod, s3: S3, clock: Clock) -> None:
        self.pod, self.s3, self.clock = pod, s3, clock
        for number, key in enumerate(OBJECTS):
            s3.owner.put_object(Bucket="bucket", Key=key, Body=str(number).encode())

    @property
    def exchanges(self) -> int:
        return self.pod.exchanges

    def refreshes(self, run: Callable[[], set[int]], pids: set[int]) -> None:
        """Assert that each process exchanges once, refreshes once, and survives an outage.

        Args:
            run: Runs the job, in which any failure is an error; returns the workers' process ids.
            pids: The processes that have exchanged.
        """
        assert len(pids) == self.exchanges
        assert pids == run()
        assert len(pids) == self.exchanges
        self.clock.travel(to_s=40 * MINUTE_S)  # due: refreshed in the background
        assert pids == run()
        eventually(lambda: self.exchanges == 2 * len(pids))
        with self.pod.sts_outage():
            for minute in (60, 75, 90):  # due from minute 61 to 79, expired at 100
                self.clock.travel(to_s=minute * MINUTE_S)
                assert pids == run()
        assert 2 * len(pids) == self.exchanges
        self.clock.travel(to_s=130 * MINUTE_S)  # expired: callers wait for an exchange
        assert pids == run()
        assert 3 * len(pids) == self.exchanges


@pytest.fixture
def job(gke_pod: GkePod, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    gke_pod.add_role(ROLE)
    clock.move(gke_pod.cloud)
    s3 = S3(gke_pod.cloud)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
    monkeypatch.setattr(sys, "argv", ["job"])  # engines parse it
    yield Job(gke_pod, s3, clock)
    s3.stop()
