"""A service rejects credentials that have not expired: they are replaced once for all callers."""

from __future__ import annotations

import http.server
import io
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.httpchecksum import AwsChunkedWrapper
from fakes import Journey, eventually

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.retry_rejected import _can_be_sent_again
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
REGION = "us-east-1"
EXPIRED = Fault.aws_error("ExpiredToken", "The security token included is expired", 403)
# AWS's messages for a key that has expired or is unknown, by service.
CODES = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
]


def exchanges(pod: Emulator) -> int:
    return sum(r.action == "AssumeRoleWithWebIdentity" for r in pod.sts.requests)


def identities(pod: Emulator) -> int:
    return sum(r.action == "GetCallerIdentity" for r in pod.sts.requests)


def refuse(pod: Emulator, fault: Fault = EXPIRED, times: int | None = 1) -> None:
    pod.sts.inject(fault, times=times, action="GetCallerIdentity")


@pytest.fixture
def client(pod: Emulator) -> Any:
    client = bridge.session(ROLE, region_name=REGION).client("sts")
    client.get_caller_identity()
    return client


def through_install(pod: Emulator) -> Any:
    bridge.install(ROLE)
    return boto3.Session(region_name=REGION).client("sts")


def through_register(pod: Emulator) -> Any:
    session = boto3.Session(region_name=REGION)
    bridge.register(session, ROLE)
    bridge.register(session, ROLE)
    return session.client("sts")


@pytest.mark.parametrize("code", CODES)
def test_the_request_is_signed_again_with_fresh_credentials(
    pod: Emulator, client: Any, code: str
) -> None:
    refuse(pod, Fault.aws_error(code, "no", 403))
    assert client.get_caller_identity()["Account"] == "123456789012"
    assert (2, 3) == (exchanges(pod), identities(pod))


@pytest.mark.parametrize("way", [through_install, through_register])
def test_request_of_a_registered_client_is_signed_again(
    pod: Emulator, way: Callable[[Emulator], Any]
) -> None:
    client = way(pod)
    client.get_caller_identity()
    refuse(pod)
    client.get_caller_identity()
    assert (2, 3) == (exchanges(pod), identities(pod))


@pytest.mark.parametrize(
    "code", ["AccessDenied", "SignatureDoesNotMatch", "RequestExpired", "AuthFailure"]
)
def test_other_error_does_not_replace_the_credentials(
    pod: Emulator, client: Any, code: str
) -> None:
    refuse(pod, Fault.aws_error(code, "no", 403))
    with pytest.raises(ClientError, match=code):
        client.get_caller_identity()
    assert (1, 2) == (exchanges(pod), identities(pod))


@pytest.fixture
def step_functions(pod: Emulator) -> Iterator[tuple[Any, list[str]]]:
    """Yield a client of a service that uses `InvalidToken` for other errors, and its requests."""
    sent: list[str] = []

    class Refuses(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            sent.append(self.headers["X-Amz-Target"].partition(".")[2])
            body = b'{"__type": "com.amazonaws.swf.service.v2.model#InvalidToken"}'
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with http.server.HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        session = bridge.session(ROLE, region_name=REGION)
        yield (
            session.client("stepfunctions", endpoint_url=f"http://127.0.0.1:{server.server_port}"),
            sent,
        )
        server.shutdown()
        thread.join(10)


def test_code_for_a_wrong_input_does_not_replace_the_credentials(
    pod: Emulator, step_functions: tuple[Any, list[str]]
) -> None:
    client, sent = step_functions
    with pytest.raises(client.exceptions.InvalidToken):
        client.send_task_success(taskToken="of a finished task", output="{}")
    assert (["SendTaskSuccess"], 1) == (sent, exchanges(pod))


def test_same_code_of_another_operation_replaces_the_credentials(
    pod: Emulator, step_functions: tuple[Any, list[str]]
) -> None:
    client, sent = step_functions
    with pytest.raises(ClientError, match="InvalidToken"):
        client.describe_execution(executionArn="arn:aws:states:us-east-1:1:execution:a:b")
    assert (["DescribeExecution"] * 2, 2) == (sent, exchanges(pod))


def test_a_request_is_sent_twice_at_most(pod: Emulator, client: Any) -> None:
    refuse(pod, times=None)
    with pytest.raises(ClientError, match="ExpiredToken"):
        client.get_caller_identity()
    assert (2, 3) == (exchanges(pod), identities(pod))


def test_service_that_rejects_every_key_causes_ever_fewer_exchanges(
    pod: Emulator, journey: Journey
) -> None:
    registry.world = registry.world._replace(jitter=lambda: 1.0, spawn=lambda work: work())
    credentials = bridge.credentials(ROLE)
    believed = []
    for second in range(0, 4 * 3600, 10):
        if credentials.reject(credentials.get_frozen_credentials().access_key):
            believed.append(second)
        journey.travel(seconds=10)
    steps = [after - before for before, after in itertools.pairwise(believed)]
    assert [30, 60, 120, 240, 480, 960, 1800, 1800, 1800] == steps[:9]
    assert exchanges(pod) <= len(believed) + 8  # and the regular refreshes, every half hour at most


def test_all_sessions_that_share_the_credentials_get_the_new_ones(
    pod: Emulator, client: Any
) -> None:
    other = bridge.credentials(ROLE)
    before = other.get_frozen_credentials()
    refuse(pod)
    client.get_caller_identity()
    assert before.access_key != other.get_frozen_credentials().access_key
    assert 2 == exchanges(pod)


def test_simultaneous_rejections_cause_one_exchange(pod: Emulator, client: Any) -> None:
    refuse(pod, times=20)
    session = bridge.session(ROLE, region_name=REGION)
    clients = [session.client("sts") for _ in range(20)]
    barrier = threading.Barrier(20)
    failed = []

    def call(client: Any) -> None:
        waits = [barrier.wait]

        def signed(**_: Any) -> None:
            if waits:  # until all have signed with the rejected credentials
                waits.pop()()

        client.meta.events.register("before-send.sts", signed)
        try:
            client.get_caller_identity()
        except ClientError as error:
            failed.append(error)

    threads = [threading.Thread(target=call, args=(each,)) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 == exchanges(pod)
    # Requests whose second try also met one of the twenty faults; no more than that.
    assert len(failed) + 20 <= 2 * 20 - len(failed)


def test_late_rejection_does_not_replace_new_credentials(pod: Emulator) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.get_frozen_credentials()
    assert credentials.reject(first.access_key)
    second = credentials.get_frozen_credentials()
    assert credentials.reject(first.access_key)  # sign again: the key has been replaced
    assert second is credentials.get_frozen_credentials()
    assert 2 == exchanges(pod)


def test_rejection_of_a_foreign_key_is_ignored(pod: Emulator) -> None:
    credentials = bridge.credentials(ROLE)
    assert not credentials.reject("AKIAIOSFODNN7EXAMPLE")
    first = credentials.get_frozen_credentials()
    assert not credentials.reject("AKIAIOSFODNN7EXAMPLE")
    assert first is credentials.get_frozen_credentials()


def test_rejected_static_keys_cause_no_exchange(pod: Emulator, client: Any) -> None:
    other = boto3.Session("AKIAIOSFODNN7EXAMPLE", "none", region_name=REGION)
    bridge.register(other, ROLE)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        other.client("sts").get_caller_identity()
    assert 1 == exchanges(pod)


def test_rejected_credentials_are_kept_if_no_others_are_available(
    pod: Emulator, journey: Journey
) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.get_frozen_credentials()
    assert credentials.reject(first.access_key)
    with pod.sts.down():
        assert first is credentials.get_frozen_credentials()
        assert not credentials.reject(first.access_key)  # no second exchange during the back-off
    journey.travel(minutes=2)
    credentials.get_frozen_credentials()  # starts a refresh in the background
    eventually(lambda: credentials.get_frozen_credentials().access_key != first.access_key)


class Asynchronous:
    """A file with asynchronous methods, as of aiofiles."""

    async def read(self, size: int = -1) -> bytes:
        return b""

    async def seek(self, at: int) -> int:
        return at

    async def seekable(self) -> bool:
        return True


class Pipe(io.RawIOBase):
    """A stream that can be read once."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("body", "again"),
    [
        (None, True),
        (b"data", True),
        ({"Action": "GetCallerIdentity"}, True),
        (io.BytesIO(b"data"), True),
        (Pipe(), False),
        (AwsChunkedWrapper(io.BytesIO(b"data")), True),
        (AwsChunkedWrapper(Pipe()), False),
        (Asynchronous(), False),
    ],
    ids=["none", "bytes", "form", "file", "pipe", "wrapped file", "wrapped pipe", "asynchronous"],
)
def test_only_a_body_that_can_be_rewound_is_sent_again(body: Any, again: bool) -> None:
    # botocore reads a body twice over plain HTTP, so that a pipe cannot be sent to an emulator.
    assert again is _can_be_sent_again(body)


def test_rejection_is_logged_once_without_the_key(
    pod: Emulator, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(pod)
    with caplog.at_level(logging.WARNING):
        client.get_caller_identity()
    [record] = caplog.records
    assert "a service rejected these credentials as expired or invalid" in record.getMessage()
    assert "ASIA" not in caplog.text
