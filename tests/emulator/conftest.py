"""Fixtures: the emulator, a raw HTTP client, and botocore's own STS client pointed at it."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config

import gcp_aws_bridge
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.service import Service

ROLE = "arn:aws:iam::123456789012:role/etl"
FLAVOR = {"Metadata-Flavor": "Google"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> str:
        """The AWS error code in the body."""
        return self.text.partition("<Code>")[2].partition("</Code>")[0]

    @property
    def message(self) -> str:
        return self.text.partition("<Message>")[2].partition("</Message>")[0]


def send(
    service: Service,
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | str | None = None,
    timeout: float = 5.0,
) -> Answer:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.fixture
def python_path() -> str:
    """PYTHONPATH for a process that shall import the same package as this one."""
    root = str(Path(gcp_aws_bridge.__file__).parents[1])
    return os.pathsep.join([root, *filter(None, sys.path)])


@pytest.fixture
def raw() -> Callable[..., Answer]:
    return send


@pytest.fixture
def metadata(emulator: Emulator) -> Callable[..., Answer]:
    """Ask the metadata server for a path below /computeMetadata/v1/, as it wants to be asked."""

    def ask(path: str = "", **kwargs: Any) -> Answer:
        return send(emulator.metadata, f"/computeMetadata/v1/{path}", headers=FLAVOR, **kwargs)

    return ask


@pytest.fixture
def exchange(emulator: Emulator) -> Callable[..., Answer]:
    """POST AssumeRoleWithWebIdentity; a parameter of `None` is left out."""

    def post(token: str | None, **params: str | None) -> Answer:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "pod-1",
            "WebIdentityToken": token,
            **params,
        }
        body = urlencode({name: value for name, value in form.items() if value is not None})
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return send(emulator.sts, method="POST", headers=kind, body=body)

    return post


@pytest.fixture(scope="session")
def _unsigned(_pod_clouds: Emulator) -> Iterator[Any]:
    """One unsigned client for all tests: making one takes longer than most of them."""
    client = _client(_pod_clouds, UNSIGNED)
    yield client
    client.close()


def _client(cloud: Emulator, signature: object, **kwargs: Any) -> Any:
    config = Config(
        signature_version=signature,
        retries={"total_max_attempts": 1},
        parameter_validation=False,  # it is STS that shall refuse
    )
    return _BOTOCORE.create_client(
        "sts", region_name="us-east-1", endpoint_url=cloud.sts.url, config=config, **kwargs
    )


_BOTOCORE = botocore.session.Session()


@pytest.fixture
def sts_client(emulator: Emulator, _unsigned: Any) -> Iterator[Callable[..., Any]]:
    """Make botocore's STS client: unsigned, or signing with a `Credentials` element."""
    made = []

    def make(credentials: dict[str, Any] | None = None) -> Any:
        if credentials is None:
            return _unsigned
        client = _client(
            emulator,
            "v4",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def credentials(emulator: Emulator, sts_client: Callable[..., Any]) -> dict[str, Any]:
    """Credentials of the role, from a real exchange."""
    emulator.add_role(ROLE, max_session_duration=43200)
    answer = sts_client().assume_role_with_web_identity(
        RoleArn=ROLE, RoleSessionName="pod-1", WebIdentityToken=emulator.mint()
    )
    return dict(answer["Credentials"])
