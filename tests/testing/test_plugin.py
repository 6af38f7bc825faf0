"""The fixture in suites of others: their orders, their plugins, and nothing that leaks.

`conftest.py` compares the process before and after each inner test.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

Inner = Callable[..., pytest.RunResult]

CARELESS = """
import logging
import os
import sys
import time
from functools import cache

import boto3
import pytest
from botocore import credentials, utils

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge.emulator import Fault

sys.modules["celpy"] = None  # the test kit has no need of it


bridge.install(ROLE)  # as an app that does so when it is imported


@cache
def kept():
    return bridge.session(ROLE, region_name="us-east-1")


def key():
    return kept().get_credentials().get_frozen_credentials().access_key


@pytest.fixture(autouse=True)
def first(monkeypatch):
    monkeypatch.setenv("UNRELATED", "1")  # so that the test's monkeypatch is older than its pod


@pytest.mark.parametrize("turn", range(3))
def test_a_session_that_is_kept_is_as_good_as_new(pod, turn):
    assert (0, 0) == (pod.exchanges, pod.metadata_requests)
    assert key() == key()
    assert (1, 1) == (pod.exchanges, pod.metadata_requests)
    assert ":assumed-role/etl/" in kept().client("sts").get_caller_identity()["Arn"]


def test_environment(pod, monkeypatch):
    assert "AWS_PROFILE" not in os.environ
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    os.environ["AWS_PROFILE"] = os.environ["GOOGLE_CLOUD_PROJECT"] = "of the test"
    os.environ["AWS_SECRET_ACCESS_KEY"] = "of the test"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.delenv("GCE_METADATA_HOST")


def test_dynamic(request):
    request.getfixturevalue("gke_pod").add_role(ROLE)
    assert key()


def test_installed_before(pod):
    boto3.client("sts", region_name="us-east-1").get_caller_identity()
    assert 1 == pod.exchanges


def test_uninstalled(pod):
    bridge.uninstall()
    assert boto3.Session().get_credentials() is None


def test_stopped(pod):
    pod.cloud.stop()


def test_installed(pod):
    bridge.install(ROLE)
    assert "google-web-identity" == boto3.Session().get_credentials().method
    boto3.client("sts", region_name="us-east-1").get_caller_identity()
    assert boto3.DEFAULT_SESSION
    bridge.credentials(ROLE).get_frozen_credentials()


def test_listener(pod):
    seen = []
    bridge.on_event(seen.append)
    key()
    pod.settle()
    assert ["exchanged"] == [event.kind for event in seen]


def test_time(pod):
    key()
    pod.freeze()
    pod.advance(50_000)


def test_troubles(pod):
    pod.deny(ROLE)
    pod.sts_outage()
    pod.metadata_outage()
    pod.cloud.sts.latency_s = 30
    logging.getLogger("gcp_aws_bridge").critical("told")


def test_under_way(pod):
    key()
    pod.advance(1800)
    pod.cloud.sts.inject(Fault.hang(60))
    begun = time.monotonic()
    key()
    pod.test_begun = begun


def test_fails(pod):
    os.environ["AWS_REGION"] = "of the test"
    bridge.install(ROLE)
    key()
    pod.sts_outage()
    pod.expire()
    key()  # an error of botocore


def test_fails_in_its_set_up(pod, broken):
    pass


@pytest.fixture
def broken(pod):
    os.environ["AWS_REGION"] = "of the fixture"
    raise OSError


bridge.on_event(lambda event: None)  # as an app that is imported


@pytest.fixture
def eks(eks):
    bridge.uninstall()  # that is of the app in GKE: it would look for a metadata server
    return eks


@cache
def kept_for_google(session):
    return google.credentials(service_account=ACCOUNT, session=kept_session() if session else None)


@cache
def kept_session():
    return boto3.Session(region_name="us-east-1")


def bearer(session=False):
    headers = {}
    kept_for_google(session).before_request(None, "GET", "https://storage.googleapis.com/", headers)
    return headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("turn", range(2))
def test_credentials_that_are_kept_are_as_good_as_new(eks, turn, session):
    assert (0, 0, 0) == (eks.exchanges, eks.impersonations, eks.agent_requests)
    assert bearer(session) == bearer(session)
    assert (1, 1, 1) == (eks.exchanges, eks.impersonations, eks.agent_requests)
    assert ACCOUNT == eks.cloud.google_identity(bearer(session)).email


def test_environment_in_eks(eks, monkeypatch):
    assert "AWS_PROFILE" not in os.environ
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ
    os.environ["AWS_PROFILE"] = os.environ["AWS_ROLE_ARN"] = "of the test"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", ACCOUNT)
    monkeypatch.delenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")


def test_another_role(eks, monkeypatch):
    eks.becomes(ROLE, how="irsa")
    monkeypatch.setenv("AWS_ROLE_ARN", "of the test")
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")


def test_troubles_in_eks(eks):
    eks.deny()
    eks.deny(ACCOUNT)
    eks.google_sts_outage()
    eks.iam_outage()
    eks.agent_outage()
    eks.cloud.sts.latency_s = 30
    eks.freeze()
    eks.advance(50_000)


@pytest.mark.parametrize("service", ["pod_identity", "google_sts", "iam_credentials"])
def test_under_way_in_eks(eks, service):
    if service != "pod_identity":
        bearer()
        eks.advance(1800)
    getattr(eks.cloud, service).inject(Fault.hang(60))
    kept_for_google(False)._cache.warm_up()


def test_stopped_in_eks(eks):
    eks.cloud.stop()


def test_fails_in_eks(eks):
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = "of the test"
    eks.google_sts_outage()
    bearer()  # an error of google-auth


def test_patches_botocore_in_eks(eks, monkeypatch):
    monkeypatch.setattr(credentials.RefreshableCredentials, "_seconds_remaining", lambda keys: 60)
    monkeypatch.setattr(utils.ContainerMetadataFetcher, "SLEEP_TIME", 0.01)


def test_a_boto3_session_in_eks(eks):
    sts = boto3.client("sts", region_name="us-east-1")
    assert ":assumed-role/app/eks-" in sts.get_caller_identity()["Arn"]


def test_in_two_pods(pod, eks):
    pass


def test_no_pod():
    assert "mine" == os.environ["AWS_PROFILE"]
    assert "AKIAOFTHEDEVELOPER00" == os.environ["AWS_ACCESS_KEY_ID"]
    assert "GCE_METADATA_HOST" not in os.environ
"""
CARELESS_OUTCOMES = {"passed": 27, "failed": 2, "errors": 2}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_leaks_in_any_order(inner: Inner, seed: int) -> None:
    inner(CARELESS, f"--shuffle={seed}").assert_outcomes(**CARELESS_OUTCOMES)


@pytest.mark.exhaustive
def test_nothing_leaks_under_xdist(inner: Inner) -> None:
    pytest.importorskip("xdist")
    done = inner(CARELESS, "-p", "xdist", "-n", "2")
    done.assert_outcomes(**CARELESS_OUTCOMES)
    done.stdout.fnmatch_lines(["*2 workers*"])


MOTO = """
import os
import unittest

import boto3
import pytest
from moto import mock_aws

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge.testing import gke_pod as entered

QUIET = {"core": {"mock_credentials": False}}


def save(session):
    s3 = session.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="reports")
    s3.put_object(Bucket="reports", Key="a", Body=b"hello")
    assert b"hello" == s3.get_object(Bucket="reports", Key="a")["Body"].read()


@pytest.fixture(autouse=True)
def first(monkeypatch):
    monkeypatch.setenv("UNRELATED", "1")


@pytest.fixture
def moto():
    with mock_aws():
        yield


def test_moto_first(moto, pod):
    save(bridge.session(ROLE))
    bridge.install(ROLE)
    assert "google-web-identity" == boto3.Session().get_credentials().method
    assert 1 == pod.exchanges


def test_pod_first(pod, moto):
    save(bridge.session(ROLE))
    assert 1 == pod.exchanges
    pod.advance(50_000)
    save(bridge.session(ROLE))
    assert 2 == pod.exchanges


def test_who_we_are_is_asked_of_our_sts(pod, moto):
    session = bridge.session(ROLE, region_name="us-east-1")
    pod.advance(3000)
    assert ":assumed-role/etl/" in session.client("sts").get_caller_identity()["Arn"]
    assert 2 == len(pod.cloud.sts.requests)


@mock_aws
def test_decorated(pod):
    save(bridge.session(ROLE))
    assert 1 == pod.exchanges


@mock_aws(config=QUIET)
def test_installed(pod):
    bridge.install(ROLE)
    save(boto3)
    assert 1 == pod.exchanges


@mock_aws
class TestDecorated:
    def test_it(self, pod):
        save(bridge.session(ROLE))
        assert 1 == pod.exchanges


@mock_aws
class Decorated(unittest.TestCase):
    def setUp(self):
        entering = entered()
        self.pod = entering.__enter__()
        self.addCleanup(entering.__exit__, None, None, None)
        self.pod.add_role(ROLE)

    def test_it(self):
        save(bridge.session(ROLE))
        self.assertEqual(1, self.pod.exchanges)

    def test_again(self):
        save(bridge.session(ROLE))
        self.assertEqual(1, self.pod.exchanges)


def bearer():
    headers = {}
    credentials = google.credentials(service_account=ACCOUNT)
    credentials.before_request(None, "GET", "https://storage.googleapis.com/", headers)
    return headers["authorization"].removeprefix("Bearer ")


def test_moto_first_in_eks(moto, eks):
    assert ACCOUNT == eks.cloud.google_identity(bearer()).email
    save(boto3.Session())
    assert (1, 2) == (eks.exchanges, eks.agent_requests)  # of two sessions
    assert "container-role" == boto3.Session().get_credentials().method


@mock_aws(config=QUIET)
def test_pod_first_in_eks(eks):
    save(boto3.Session())
    eks.expire()
    assert ACCOUNT == eks.cloud.google_identity(bearer()).email
    save(boto3.Session())


def test_afterwards():
    assert "AKIAOFTHEDEVELOPER00" == os.environ["AWS_ACCESS_KEY_ID"]
"""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(2))
def test_beside_moto(inner: Inner, seed: int) -> None:
    inner(MOTO, f"--shuffle={seed}").assert_outcomes(passed=11)


# Of either plugin of async tests; what aiobotocore does is in docs/how-to/testing.md.
ASYNC = """
import asyncio

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.MARK
async def test_a_refresh_in_eks(eks):
    credentials = google.credentials(service_account=ACCOUNT)
    await asyncio.to_thread(credentials.refresh, None)
    first = credentials.token
    eks.advance(1800)
    assert first == credentials.token
    eks.settle()
    assert first != credentials.token
    assert (2, 2) == (eks.exchanges, eks.impersonations)


@pytest.mark.MARK
@pytest.mark.parametrize("turn", range(2))
async def test_a_refresh(pod, turn):
    cache = bridge.credentials(ROLE)._cache
    first, other = await asyncio.gather(cache.get_async(), cache.get_async())
    assert first is other
    pod.advance(1800)
    assert first is await cache.get_async()
    pod.settle()
    assert first is not await cache.get_async()
    assert 2 == pod.exchanges
    with pod.sts_outage():
        pod.expire()
        with pytest.raises(bridge.exceptions.ExchangeError):
            await cache.get_async()
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("plugin", ["anyio", "asyncio"])
def test_asynchronous_tests(inner: Inner, plugin: str) -> None:
    options = ["-p", plugin]
    if plugin == "asyncio":
        options += ["-o", "asyncio_default_fixture_loop_scope=function"]
    inner(ASYNC.replace("MARK", plugin), *options).assert_outcomes(passed=3)


def test_the_plugin_loads_nothing_until_there_is_a_pod(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["gcp_aws_bridge.testing"]')
    pytester.makepyfile(
        """
        import sys

        HEAVY = ["botocore", "cryptography", "gcp_aws_bridge.emulator"]
        HEAVY += ["gcp_aws_bridge._sts.client"]

        def test_before():
            assert [] == [name for name in HEAVY if name in sys.modules]

        def test_with(gke_pod):
            assert [] == [name for name in HEAVY if name not in sys.modules]
        """
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)
