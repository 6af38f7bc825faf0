"""`gcp-aws-bridge run` together with tracers that start programs by a `sitecustomize`, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gcp_aws_bridge.testing import GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"
RUN = [sys.executable, "-m", "gcp_aws_bridge", "run", "--role-arn", ROLE, "--"]
FOLDER = Path(sys.executable).parent
OTEL = [
    str(FOLDER / "opentelemetry-instrument"),
    *("--traces_exporter", "none", "--metrics_exporter", "none", "--logs_exporter", "none"),
]
DDTRACE = [str(FOLDER / "ddtrace-run")]
# Whether botocore is instrumented: both tracers wrap this method.
PROGRAM = """
import boto3, botocore.client
session = boto3.Session(region_name="us-east-1")
arn = session.client("sts").get_caller_identity()["Arn"]
print(arn.split("/")[1], type(botocore.client.BaseClient._make_api_call).__name__ != "function")
"""


@pytest.mark.parametrize(
    "commands",
    [[*RUN, *OTEL], [*RUN, *DDTRACE], [*DDTRACE, *RUN]],
    ids=["run, opentelemetry", "run, ddtrace", "ddtrace, run"],
)
def test_program_has_the_role_and_is_traced(gke_pod: GkePod, commands: list[str]) -> None:
    gke_pod.add_role(ROLE)
    quiet = {
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "0",
    }
    quiet |= {"DD_TRACE_AGENT_URL": "http://127.0.0.1:9", "DD_TRACE_STARTUP_LOGS": "0"}
    done = subprocess.run(
        [*commands, sys.executable, "-c", PROGRAM],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "etl True\n" == done.stdout, done.stderr
    assert 1 == gke_pod.exchanges
