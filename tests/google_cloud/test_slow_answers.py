"""Answers of Google that come byte by byte: each byte is in time, the whole answer is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.auth.exceptions import TransportError
from unit.servers import Reply, Server, drip

from gcp_aws_bridge import google
from gcp_aws_bridge._tokens import bounded_reader
from gcp_aws_bridge._tokens.google_connection import ConfidentialRequest
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google._transport import Transport
from gcp_aws_bridge.testing import EksPod

ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"
ANSWERS = {
    "status": drip(b"H", b"T"),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a header": drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"e"),
    "until closed": drip(b"HTTP/1.1 200 OK\r\n\r\n", b"e"),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\ne\r\n"),
}


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_reader, "ANSWER_S", 0.1)


@pytest.mark.parametrize("make", [Transport, ConfidentialRequest])
@pytest.mark.parametrize("reply", ANSWERS.values(), ids=ANSWERS)
def test_no_drip_can_pass_the_limit(reply: Reply, make: Any) -> None:
    transport = make()
    with Server(reply) as server, pytest.raises(TransportError, match="timed out"):
        transport(server.url)


def test_nor_can_one_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(ANSWERS["a header"]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(TransportError, match="timed out"):
            Transport()("https://sts.googleapis.com/v1/token", "POST", body=b"{}")
    assert ["CONNECT"] == [request.method for request in proxy.requests]


@pytest.mark.parametrize("service", ["google_sts", "iam_credentials"])
@pytest.mark.parametrize("in_task", [False, True], ids=["thread", "task"])
def test_exchange_with_a_service_that_drips_is_given_up(
    eks_pod: EksPod, service: str, in_task: bool
) -> None:
    eks_pod.add_service_account(ACCOUNT)
    eks_pod.freeze()  # pauses between attempts take no time
    getattr(eks_pod.cloud, service).inject(Fault.drip(0.02), times=None)
    credentials = google.credentials(service_account=ACCOUNT)
    if in_task:
        with pytest.raises(ExchangeError) as caught:
            asyncio.run(credentials._cache.get_async())
        assert "exchange/google-unreachable" == caught.value.error_id
    else:
        with pytest.raises(TransportError, match=r"\[exchange/google-unreachable\]"):
            credentials.before_request(None, "GET", "https://example.com/", {})


def test_refresh_that_drips_costs_no_caller_its_token(eks_pod: EksPod) -> None:
    eks_pod.add_service_account(ACCOUNT)
    credentials = google.credentials(service_account=ACCOUNT)
    headers: list[dict[str, str]] = [{}, {}]
    credentials.before_request(None, "GET", "https://example.com/", headers[0])
    eks_pod.advance(2400)
    eks_pod.cloud.iam_credentials.inject(Fault.drip(0.02), times=None)
    credentials.before_request(None, "GET", "https://example.com/", headers[1])
    eks_pod.settle()
    assert headers[0] == headers[1]
    assert headers[0]["authorization"] == f"Bearer {credentials.token}"


def test_answer_in_time_is_read_whole(eks_pod: EksPod) -> None:
    eks_pod.add_service_account(ACCOUNT)
    eks_pod.cloud.google_sts.latency_s = 0.05
    google.credentials(service_account=ACCOUNT).before_request(None, "GET", "", {})
    assert 1 == eks_pod.impersonations
