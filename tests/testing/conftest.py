"""A pytest inside the test, in a process of its own, which holds that nothing leaks."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import botocore_data
import pytest

# Of the inner pytest: what a pod might leave behind is held against what was there, after each
# test, also after failures; and no request leaves this machine.
CONFTEST = """
import os
import random
import socket
import sys
import tempfile

import botocore
import pytest
from botocore import credentials, utils

from gcp_aws_bridge._botocore import install
from gcp_aws_bridge._botocore import request
from gcp_aws_bridge._sts import shared
from gcp_aws_bridge._cache import events
from gcp_aws_bridge._cache.sharing import registry

pytest_plugins = ["gcp_aws_bridge.testing"]
ROLE = "arn:aws:iam::123456789012:role/etl"
ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"
ELSEWHERE = []
tempfile.tempdir = tempfile.mkdtemp(dir=os.getcwd())  # of this process alone
_connect = socket.socket.connect


def connect(self, address):
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
        ELSEWHERE.append(address)
        raise OSError(101, "Network is unreachable")
    return _connect(self, address)


socket.socket.connect = connect


def state():
    boto3 = sys.modules.get("boto3")
    return {
        "environment": {n: v for n, v in os.environ.items() if n != "PYTEST_CURRENT_TEST"},
        "world": registry.world,
        "caches": len(registry._caches.values()),
        "clients": len(shared._clients.values()),
        "session": request._shared_session.cache_info().currsize,
        "listeners": dict(events._listeners),
        "installed": list(install._installed),
        "initializers": list(botocore._INITIALIZERS) if hasattr(botocore, "_INITIALIZERS") else 0,
        "default session": boto3 and boto3.DEFAULT_SESSION,
        "botocore": (
            credentials._local_now,
            credentials.RefreshableCredentials._seconds_remaining,
            utils.ContainerMetadataFetcher.SLEEP_TIME,
        ),
        "files": os.listdir(tempfile.gettempdir()),
        "elsewhere": list(ELSEWHERE),
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    before = state()
    result = yield
    after = state()
    for what in before:
        assert before[what] == after[what], (item.nodeid, what)
    return result


def pytest_addoption(parser):
    parser.addoption("--shuffle", type=int)


def pytest_collection_modifyitems(config, items):
    if config.option.shuffle is not None:
        random.Random(config.option.shuffle).shuffle(items)


@pytest.fixture
def pod(gke_pod):
    gke_pod.add_role(ROLE)
    return gke_pod


@pytest.fixture
def eks(eks_pod):
    eks_pod.add_service_account(ACCOUNT)
    return eks_pod
"""
SUITE = """
ROLE = "arn:aws:iam::123456789012:role/etl"
ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"
"""


@pytest.fixture
def few_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pytest that a test starts load no plugin but `botocore_data`, which saves time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "botocore_data")
    # Not by PYTHONPATH: tests/site would hide Python's own module.
    shutil.copy(botocore_data.__file__, pytester.path)


@pytest.fixture
def inner(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None
) -> Callable[..., pytest.RunResult]:
    """Run pytest on a suite, given as source, with no plugins but those that are asked for.

    The machine that it runs on has AWS settings of its own, and keys that must not be used.
    """
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEDEVELOPER00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-developer")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", "another@example.com")
    monkeypatch.setenv("GCP_AWS_BRIDGE_AUDIENCE", "another")
    pytester.makeconftest(CONFTEST)

    def run(suite: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_suite=SUITE + suite)
        return pytester.runpytest_subprocess("-W", "error", *options)

    return run
