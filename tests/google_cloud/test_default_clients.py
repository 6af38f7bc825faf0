"""Real clients that are created without arguments, after `google.install()`, through a refresh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import Journey

from .conftest import ACCOUNT, Workload

for _name in ("storage", "pubsub_v1", "bigquery"):
    pytest.importorskip(f"google.cloud.{_name}")
for _name in ("gcsfs", "pandas_gbq"):
    pytest.importorskip(_name)
apis = pytest.importorskip("google_cloud.apis", exc_type=ImportError)

PROGRAM = Path(__file__).with_name("programs") / "by_default.py"
SERVICES = ("storage", "bigquery", "pubsub")


class Clients:
    """The process of the clients, and the services that they call."""

    def __init__(self, process: subprocess.Popen[str], bearers: dict[str, apis.Bearers]) -> None:
        self._process = process
        self._bearers = bearers

    def use(self) -> dict[str, set[str]]:
        """Make a request with each client; return the new tokens that each service has seen."""
        before = {name: len(each.tokens) for name, each in self._bearers.items()}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print("use", file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert "my-project my-project my-project my-project\n" == answer
        return {name: {*each.tokens[before[name] :]} for name, each in self._bearers.items()}


@pytest.fixture
def clients(workload: Workload, tmp_path: Path) -> Iterator[Clients]:
    workload.pod()
    with contextlib.ExitStack() as stack:
        url, storage = stack.enter_context(apis.storage(workload.cloud))
        queries, bigquery = stack.enter_context(apis.bigquery(workload.cloud))
        topics, pubsub, certificate = stack.enter_context(apis.pubsub(workload.cloud, tmp_path))
        environ = {
            "AHEAD_FILE": str(tmp_path / "ahead"),
            "API_ENDPOINT_OVERRIDE": url,
            "BIGQUERY_EMULATOR_HOST": queries,
            "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": workload.provider.audience,
            "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": ACCOUNT,
            # Otherwise gcsfs looks for its emulated bucket at Google's gRPC endpoint for a minute.
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate),
            "PUBSUB": topics,
        }
        (tmp_path / "ahead").write_text("0", encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", PROGRAM],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            bearers = dict(zip(SERVICES, (storage, bigquery, pubsub), strict=True))
            yield Clients(process, bearers)
            for each in bearers.values():
                assert {ACCOUNT} == {*each.seen}
        finally:
            process.kill()
            process.communicate()


@pytest.mark.timeout(180)  # imports five libraries, and may start Google's emulator of Pub/Sub
def test_clients_of_five_libraries_share_one_exchange_through_a_refresh(
    workload: Workload, journey: Journey, clients: Clients, tmp_path: Path
) -> None:
    first = clients.use()
    assert all(first.values())
    assert 1 == workload.asked[0]
    assert first == clients.use()
    assert 1 == workload.asked[0]
    journey.travel(minutes=40)
    (tmp_path / "ahead").write_text("2400", encoding="utf-8")
    while any(tokens & first[name] for name, tokens in clients.use().items()):
        assert workload.asked[0] <= 2
    assert 2 == workload.asked[0]
