"""Chained roles with settings of their own: tasks of an event loop, and the form of the request."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from fakes import POLICY

import gcp_aws_bridge as bridge
from gcp_aws_bridge.testing import GkePod

from .conftest import ROLE, needs

pytest.importorskip("moto.server")
from moto.server import ThreadedMotoServer

CHAINED = "arn:aws:iam::210987654321:role/reader"
OWN = bridge.ChainedRole(
    CHAINED,
    external_id="acme:42/+=,.@-",
    tags={"tenant": "Größe +=/@", "stage": ""},
    transitive_tag_keys=["tenant"],
    source_identity="etl@example.com",
    role_session_name="reader-of-acme",
    duration_seconds=900,
    policy=POLICY,
    policy_arns=["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
)
SENT = {
    "Action": "AssumeRole",
    "RoleArn": CHAINED,
    "RoleSessionName": "reader-of-acme",
    "DurationSeconds": "900",
    "ExternalId": "acme:42/+=,.@-",
    "Tags.member.1.Key": "stage",
    "Tags.member.1.Value": "",
    "Tags.member.2.Key": "tenant",
    "Tags.member.2.Value": "Größe +=/@",
    "TransitiveTagKeys.member.1": "tenant",
    "SourceIdentity": "etl@example.com",
    "Policy": json.dumps(POLICY, separators=(",", ":")),
    "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
}


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Run moto as AWS and record its requests."""
    from moto.moto_api import recorder

    monkeypatch.setattr(recorder, "_location", str(tmp_path / "recording"))
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    moto_api(url, "recorder/reset-recording")
    moto_api(url, "recorder/start-recording")
    yield url
    moto_api(url, "recorder/stop-recording")
    moto_api(url, "recorder/reset-recording")
    server.stop()


def moto_api(url: str, what: str) -> bytes:
    method = "GET" if "download" in what else "POST"
    request = urllib.request.Request(f"{url}/moto-api/{what}", method=method, data=None)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def recorded(url: str) -> list[dict[str, str]]:
    lines = moto_api(url, "recorder/download-recording").decode().splitlines()
    bodies = [base64.b64decode(json.loads(line)["body"]).decode() for line in lines]
    return [
        {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        for body in bodies
    ]


def test_moto_reads_every_setting_of_the_request(gke_pod: GkePod, moto: str) -> None:
    frozen = bridge.credentials(ROLE, chain=[OWN]).get_frozen_credentials()
    assert frozen.access_key.startswith("ASIA")
    [assumed] = [sent for sent in recorded(moto) if sent["Action"] == "AssumeRole"]
    assert SENT == {name: value for name, value in assumed.items() if name != "Version"}


def made(aio: Any) -> Any:
    return aio.session(ROLE, chain=[OWN], region_name="us-east-1", sts_regions=["us-east-1"])


def registered(aio: Any) -> Any:
    from aiobotocore.session import get_session

    session = get_session()
    aio.register(session, bridge.Role(ROLE, chain=[OWN]))
    return session


def installed(aio: Any) -> Any:
    from aiobotocore.session import get_session

    bridge.install(bridge.Role(ROLE, chain=[OWN]))
    return get_session()


def from_the_environment(aio: Any) -> Any:
    return aio.session()


@needs("aiobotocore")
@pytest.mark.parametrize("make", [made, registered, installed, from_the_environment])
def test_tasks_get_the_credentials_of_the_chained_role(
    make: Any, gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gcp_aws_bridge import aio

    cloud = gke_pod.cloud
    gke_pod.add_role(ROLE)
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": actions,
        "Condition": {"StringEquals": {"sts:ExternalId": SENT["ExternalId"]}},
    }
    cloud.add_role(CHAINED, {"Version": "2012-10-17", "Statement": [statement]})
    for action in actions:
        cloud.allow(ROLE, action, on=CHAINED)
    fields = {"arn": CHAINED, "external_id": OWN.external_id}
    fields["role_session_name"] = "reader-of-acme"
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.setenv("GCP_AWS_BRIDGE_CHAIN", json.dumps([fields]))

    async def identity() -> str:
        async with make(aio).create_client("sts", region_name="us-east-1") as sts:
            return str((await sts.get_caller_identity())["Arn"])

    arn = asyncio.run(identity())
    assert "arn:aws:sts::210987654321:assumed-role/reader/reader-of-acme" == arn


@needs("aiobotocore")
def test_credentials_of_tasks_take_a_chained_role(gke_pod: GkePod, moto: str) -> None:
    from gcp_aws_bridge import aio

    credentials = aio.credentials(ROLE, chain=[OWN])
    frozen = asyncio.run(credentials.get_frozen_credentials())
    assert frozen.access_key.startswith("ASIA")
    assert SENT.items() <= recorded(moto)[-1].items()
