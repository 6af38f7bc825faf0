"""The code of docs/how-to/observe.md runs as printed, with the results that the page describes."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import eventually
from pages import DOCS, blocks_of

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
NOTHING = SimpleNamespace(resource_metrics=())

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="not in a source checkout")


@pytest.fixture(autouse=True)
def no_listener_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gcp_aws_bridge._cache.events._listeners", {})


def run(page: str, number: int) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(blocks_of(f"how-to/{page}", "python")[number].code, namespace)
    return namespace


def test_logs_at_info_show_each_exchange(pod: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("gcp_aws_bridge")
    try:
        run("observe.md", 0)
        bridge.credentials(ROLE).get_frozen_credentials()
        eventually(lambda: bool(caplog.records))
    finally:
        logger.setLevel(logging.NOTSET)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{ROLE}: fresh until 20")


def test_events_are_printed(pod: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    namespace = run("observe.md", 1)
    held = bridge.credentials(ROLE)
    held.get_frozen_credentials()
    printed: list[str] = []  # the event comes after the caller has its credentials
    eventually(lambda: printed.append(capsys.readouterr().out) or "".join(printed).endswith("\n"))
    assert "".join(printed).startswith(f"exchanged {ROLE} 0.")
    namespace["stop"]()
    held.reject(held.get_frozen_credentials().access_key)
    assert "" == capsys.readouterr().out


def test_opentelemetry_gets_the_duration_and_what_remains(pod: Emulator) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.metrics")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    from opentelemetry import metrics

    reader = export.InMemoryMetricReader()
    metrics.set_meter_provider(sdk.MeterProvider([reader]))
    run("observe.md", 2)
    bridge.credentials(ROLE).get_frozen_credentials()
    points: dict[str, Any] = {}

    def collected() -> bool:
        for resource in (reader.get_metrics_data() or NOTHING).resource_metrics:
            for metric in resource.scope_metrics[0].metrics:
                points[metric.name] = metric.data.data_points[0]
        return "gcp_aws_bridge.credentials.remaining" in points

    eventually(collected)
    duration = points["gcp_aws_bridge.exchange.duration"]
    assert (1, {"role": ROLE, "outcome": "exchanged"}) == (
        duration.count,
        dict(duration.attributes),
    )
    assert 3500 < points["gcp_aws_bridge.credentials.remaining"].value <= 3590
