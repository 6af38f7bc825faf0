"""The plugin, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys

SUITE = """
import os
import socket
import urllib.request

import pytest

ROLE = "arn:aws:iam::123456789012:role/etl"
seen = []


@pytest.mark.parametrize("turn", [1, 2])
def test_state_is_not_shared(emulator, turn):
    assert len(emulator.metadata.requests) == 0
    assert emulator.metadata.latency_s == 0
    emulator.add_role(ROLE)
    emulator.metadata.latency_s = 0.001
    request = urllib.request.Request(emulator.metadata.url, headers={"Metadata-Flavor": "Google"})
    urllib.request.urlopen(request).close()
    seen.append(emulator.sts.port)
    assert len(set(seen)) == 1
    assert "AWS_PROFILE" in os.environ


def test_a_stopped_emulator_is_started_again(emulator):
    emulator.stop()


def test_gke_pod(gke_pod):
    assert gke_pod.sts.port == seen[0]
    with socket.create_connection(("127.0.0.1", gke_pod.sts.port)):
        pass  # it serves
    assert os.environ["GCE_METADATA_HOST"] == f"127.0.0.1:{gke_pod.metadata.port}"
    assert os.environ["AWS_ENDPOINT_URL_STS"] == gke_pod.sts.url
    left = {n for n in os.environ if n.startswith(("AWS_", "GOOGLE_", "GCE_", "GCP_", "NO_GCE"))}
    assert left == {n for n in gke_pod.environ if "PROXY" not in n.upper()}


def test_the_environment_is_given_back():
    assert os.environ["AWS_PROFILE"] == "mine"
    assert "AWS_ENDPOINT_URL_STS" not in os.environ
"""


def test_fixtures(tmp_path, python_path):
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["gcp_aws_bridge.emulator.pytest_plugin"]\n'
    )
    (tmp_path / "test_it.py").write_text(SUITE)
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "PYTEST_", "GCP_"))}
    environ = {
        **kept,
        "PYTHONPATH": python_path,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "AWS_PROFILE": "mine",
        "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere",
        "NO_GCE_CHECK": "true",
        "GCP_AWS_BRIDGE_AUDIENCE": "x",
    }
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
