"""Apache Airflow: hooks, operators and triggers of its Amazon provider, without a server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError
from fakes import POLICY, eventually

from gcp_aws_bridge.emulator import Fault

from .conftest import FIRST_MINUTES, ROLE, Pod, needs

pytestmark = needs("airflow", session="airflow")

GOOGLE = {
    "role_arn": ROLE,
    "region_name": "eu-west-1",
    "assume_role_method": "assume_role_with_web_identity",
    "assume_role_with_web_identity_federation": "google",
}
LAST = "arn:aws:iam::123456789012:role/last"
Connect = Callable[..., None]


@pytest.fixture
def connect(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Connect:
    """Define the connection `aws_default` by an environment variable, as for a worker."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path_factory.getbasetemp() / "airflow"))
    monkeypatch.setenv(
        "AIRFLOW__AWS__SESSION_FACTORY", "gcp_aws_bridge.adapters.airflow.SessionFactory"
    )
    from airflow.providers.amazon.aws.hooks import base_aws

    assert "gcp_aws_bridge.adapters.airflow" == base_aws.SessionFactory.__module__

    def connection(extra: dict[str, Any], **rest: str) -> None:
        connection = json.dumps({"conn_type": "aws", "extra": extra, **rest})
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection)

    connection(GOOGLE)
    return connection


@pytest.fixture
def now(pod: Pod) -> None:
    """Set the clouds to this machine's time, which botocore and other processes use."""
    pod.travel(minutes=-FIRST_MINUTES)


def hook() -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook()


def trigger() -> Any:
    from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger

    return S3KeyTrigger("bucket", "word", poke_interval=0.01)


async def event(of: Any) -> dict[str, Any]:
    return (await anext(of.run())).payload


def test_hook_works_through_a_refresh_and_an_expiration(pod: Pod, connect: Connect) -> None:
    held = hook()

    def read() -> str:
        assert ["word"] == held.list_keys("bucket")
        return held.read_key("word", "bucket")

    pod.uses(read)


def test_successive_hooks_share_one_exchange(pod: Pod, connect: Connect) -> None:
    pod.uses(lambda: hook().read_key("word", "bucket"))


def test_trigger_shares_the_exchange(pod: Pod, connect: Connect) -> None:
    def read() -> str:
        assert {"status": "success"} == asyncio.run(event(trigger()))
        return hook().read_key("word", "bucket")

    pod.uses(read)


def test_triggers_share_the_service_models_of_botocore(pod: Pod, connect: Connect) -> None:
    one, other = (hook().get_session(deferrable=True) for _ in range(2))
    assert one.get_component("data_loader") is other.get_component("data_loader")


def test_object_storage_works_through_a_refresh_and_an_expiration(
    pod: Pod, connect: Connect
) -> None:
    from airflow.sdk import ObjectStoragePath

    word = ObjectStoragePath("s3://aws_default@bucket/word")
    pod.uses(word.read_bytes)


def test_request_has_the_settings_of_the_connection(pod: Pod, connect: Connect) -> None:
    pod.cloud.add_role(ROLE, audience="aws:etl")
    settings = {
        "RoleSessionName": "nightly",
        "DurationSeconds": 900,
        "Policy": json.dumps(POLICY),
        "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}],
    }
    audience = {"assume_role_with_web_identity_federation_audience": "aws:etl"}
    connect({**GOOGLE, **audience, "assume_role_kwargs": settings})
    assert "hello" == hook().read_key("word", "bucket")
    sent = pod.cloud.sts.requests[0].params
    assert ("nightly", "900") == (sent["RoleSessionName"], sent["DurationSeconds"])
    assert POLICY == json.loads(sent["Policy"])
    assert settings["PolicyArns"][0]["arn"] == sent["PolicyArns.member.1.arn"]


@pytest.mark.usefixtures("now")  # the request for the chained role is signed
@pytest.mark.parametrize(
    "chained", [LAST, {"arn": LAST, "external_id": "acme"}], ids=["ARN", "JSON"]
)
def test_chain_in_the_connection_is_used(pod: Pod, connect: Connect, chained: Any) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.cloud.add_role(LAST, {"Version": "2012-10-17", "Statement": [statement]})
    connect({**GOOGLE, "assume_role_kwargs": {"chain": [chained]}})
    hook().get_credentials()
    assert [ROLE, LAST] == [one.params["RoleArn"] for one in pod.cloud.sts.requests]
    external_id = None if chained == LAST else "acme"
    assert external_id == pod.cloud.sts.requests[-1].params.get("ExternalId")


@pytest.mark.parametrize("name", ["ProviderId", "policyarns"])
def test_unknown_setting_is_an_error(pod: Pod, connect: Connect, name: str) -> None:
    connect({**GOOGLE, "assume_role_kwargs": {name: "x"}})
    with pytest.raises(TypeError, match=name):
        hook().read_key("word", "bucket")


def test_connection_with_keys_is_unchanged(pod: Pod, connect: Connect) -> None:
    owner = pod.s3.owner._get_credentials()
    connect({"region_name": "us-east-1"}, login=owner.access_key, password=owner.secret_key)
    assert "hello" == hook().read_key("word", "bucket")
    assert {"status": "success"} == asyncio.run(event(trigger()))
    assert owner.access_key == hook().get_credentials().access_key
    assert 0 == pod.exchanges


@pytest.mark.parametrize(
    "own",
    [
        {"assume_role_with_web_identity_federation": "file"},
        {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"},
        {"profile_name": "etl"},
        {"service_config": {"sts": {"endpoint_url": "https://sts.example"}}},
    ],
)
def test_connection_with_settings_that_only_the_provider_has_is_left_to_it(
    pod: Pod,
    connect: Connect,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: dict[str, Any],
) -> None:
    monkeypatch.delenv("AWS_CONFIG_FILE")
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text("[profile etl]\nregion = eu-west-1\n")
    connect({**GOOGLE, **own})
    method = "assume-role-with-web-identity"
    assert method == hook().get_session().get_credentials().method
    assert method == hook().get_session(deferrable=True)._credentials.method


def test_a_role_alone_is_assumed_with_keys_by_the_provider(pod: Pod, connect: Connect) -> None:
    connect({"role_arn": ROLE})
    with pytest.raises(NoCredentialsError):
        hook().get_session()


def test_task_fails_with_our_message(pod: Pod, connect: Connect) -> None:
    from airflow.providers.amazon.aws.operators.s3 import S3ListOperator

    pod.cloud.remove_role(ROLE)
    with pytest.raises(
        CredentialRetrievalError, match=r"needs this statement.*\[exchange/denied\]"
    ):
        S3ListOperator(task_id="list", bucket="bucket").execute({})
    failed = asyncio.run(event(trigger()))
    assert "error" == failed["status"]
    assert "[exchange/denied]" in failed["message"]


def test_trigger_that_waits_does_not_block_the_event_loop(pod: Pod, connect: Connect) -> None:
    turned = threading.Event()
    seen: list[bool] = []
    pod.cloud.sts.inject(Fault.slow(0), when=lambda _: bool(seen.append(turned.wait(20))))

    async def others() -> str:
        waiting = asyncio.create_task(event(trigger()))
        await asyncio.to_thread(eventually, lambda: len(pod.cloud.sts.requests) == 1)
        turned.set()  # and STS answers
        return (await waiting)["status"]

    assert ("success", [True]) == (asyncio.run(others()), seen)


TASK = """
import asyncio
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger

async def wait():
    return await anext(S3KeyTrigger("bucket", "word").run())

assert "hello" == S3Hook().read_key("word", "bucket")
assert {"status": "success"} == asyncio.run(wait()).payload
print("signed by", S3Hook().get_credentials().access_key)
"""


def log_of_a_task(level: str = "INFO") -> str:
    """Return all output of a process that runs `TASK`."""
    ran = subprocess.run(
        [sys.executable, "-c", TASK],
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": level},
        cwd=os.environ["HOME"],  # not the folder of the sources
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 0 == ran.returncode, ran.stderr
    return ran.stderr + ran.stdout


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_the_log_of_a_task_has_no_secret(pod: Pod, connect: Connect, level: str) -> None:
    """Airflow logs through structlog, which the check of all logs does not see."""
    log = log_of_a_task(level)
    assert f"{ROLE}: fresh until" in log
    key = pod.cloud.key(log.partition("signed by ")[2].split()[0])
    assert key is not None
    for secret in (key.secret_access_key, pod.cloud.sts.requests[0].params["WebIdentityToken"]):
        assert secret not in log
    if level == "INFO":  # at DEBUG botocore logs the canonical request
        assert key.session_token not in log


@pytest.mark.usefixtures("now")
def test_provider_without_the_library_sends_the_same_request(
    pod: Pod, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    audience = {"assume_role_with_web_identity_federation_audience": "aws:etl"}
    settings = {"RoleSessionName": "nightly", "DurationSeconds": 3600}
    pod.cloud.add_role(ROLE, audience="aws:etl")
    connect({**GOOGLE, **audience, "assume_role_kwargs": settings})
    log_of_a_task()
    monkeypatch.delenv("AIRFLOW__AWS__SESSION_FACTORY")
    log_of_a_task()
    ours, *of_the_provider = [
        {**one.params, "WebIdentityToken": ""} for one in pod.cloud.sts.requests
    ]
    assert [ours] * 3 == of_the_provider  # one request for each hook of the provider
