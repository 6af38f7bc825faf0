"""Every fault as a raw client sees it, over real sockets."""

from __future__ import annotations

import http.client
import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from gcp_aws_bridge.emulator import Fault, ManualClock

PROJECT = "project/project-id"


def test_status_body_type_and_headers(emulator, metadata):
    emulator.metadata.inject(Fault.status(503, "busy", "text/x-note", {"Retry-After": "7"}))
    answer = metadata(PROJECT)
    assert (answer.status, answer.text) == (503, "busy")
    assert answer.headers["Content-Type"] == "text/x-note"
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert metadata(PROJECT).text == "demo-project"


def test_reset_is_a_tcp_reset(emulator, metadata):
    emulator.metadata.inject(Fault.reset())
    with socket.create_connection(("127.0.0.1", emulator.metadata.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):  # an orderly end would be b""
            client.recv(1)
    assert emulator.metadata.requests[0].status is None
    assert metadata(PROJECT).status == 200


def test_hang_says_nothing_then_hangs_up(emulator, metadata):
    emulator.metadata.inject(Fault.hang(0.03))
    began = time.monotonic()
    with pytest.raises(http.client.RemoteDisconnected):
        metadata(PROJECT)
    assert time.monotonic() - began >= 0.03


def test_hang_outlasts_an_impatient_client(emulator, metadata):
    emulator.metadata.inject(Fault.hang(30))
    with pytest.raises(TimeoutError):
        metadata(PROJECT, timeout=0.02)
    assert len(emulator.metadata.requests) == 1


def test_drip_gives_the_right_answer_byte_by_byte(emulator):
    emulator.metadata.inject(Fault.drip(0.001))
    with socket.create_connection(("127.0.0.1", emulator.metadata.port)) as client:
        client.sendall(
            b"GET /computeMetadata/v1/project/project-id HTTP/1.1\r\nHost: x\r\n"
            b"Metadata-Flavor: Google\r\nConnection: close\r\n\r\n"
        )
        pieces = []
        while piece := client.recv(1 << 16):
            pieces.append(piece)
    assert b"".join(pieces).endswith(b"\r\n\r\ndemo-project")
    assert len(pieces) > 10


def test_redirect_does_not_look_like_the_service(emulator, metadata):
    emulator.metadata.inject(Fault.redirect("http://127.0.0.1:9/elsewhere", 307))
    answer = metadata(PROJECT)
    assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")
    assert "Metadata-Flavor" not in answer.headers


def test_empty(emulator, metadata):
    emulator.metadata.inject(Fault.empty())
    answer = metadata(PROJECT)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Metadata-Flavor"] == "Google"


def test_html_is_a_login_page_of_someone_else(emulator, metadata):
    emulator.metadata.inject(Fault.html())
    answer = metadata(PROJECT)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"Sign in" in answer.body
    assert "Metadata-Flavor" not in answer.headers


@pytest.mark.parametrize("path", [PROJECT, "instance/service-accounts/default/identity?audience=a"])
def test_truncated_promises_more_than_it_sends(emulator, metadata, path):
    emulator.metadata.inject(Fault.truncated())
    with pytest.raises(http.client.IncompleteRead) as caught:
        metadata(path)
    assert 0 < len(caught.value.partial)
    assert caught.value.expected


def test_truncated_even_when_there_is_no_body(emulator, raw):
    emulator.issuer.inject(Fault.truncated())
    with pytest.raises(http.client.IncompleteRead):
        raw(emulator.issuer, "/nothing-here")


def test_oversized(emulator, metadata):
    emulator.metadata.inject(Fault.oversized(3 << 20))
    answer = metadata(PROJECT)
    assert (len(answer.body), set(answer.body)) == (3 << 20, {ord("a")})


@pytest.mark.parametrize("value", ["text/html", None])
def test_content_type_of_an_otherwise_right_answer(emulator, metadata, value):
    emulator.metadata.inject(Fault.content_type(value))
    answer = metadata(PROJECT)
    assert (answer.status, answer.text, answer.headers["Content-Type"]) == (
        200,
        "demo-project",
        value,
    )


@pytest.mark.parametrize("value", ["Amazon", None])
def test_flavor_of_an_otherwise_right_answer(emulator, metadata, value):
    emulator.metadata.inject(Fault.flavor(value))
    answer = metadata(PROJECT)
    assert (answer.text, answer.headers["Metadata-Flavor"]) == ("demo-project", value)


def test_body_keeps_the_right_headers(emulator, metadata, raw):
    emulator.metadata.inject(Fault.body(b"not-a-token"))
    answer = metadata(PROJECT)
    assert (answer.status, answer.body) == (200, b"not-a-token")
    assert answer.headers["Content-Type"] == "application/text"
    assert answer.headers["Metadata-Flavor"] == "Google"
    emulator.sts.inject(Fault.body("<x/>"))
    answer = raw(emulator.sts)
    assert (answer.text, answer.headers["Content-Type"]) == ("<x/>", "text/xml")
    assert answer.headers["x-amzn-RequestId"]


def test_date_is_the_clouds_and_can_be_off(emulator, metadata):
    emulator.clock = ManualClock()
    right = parsedate_to_datetime(metadata(PROJECT).headers["Date"])
    emulator.metadata.inject(Fault.date(-600))
    off = parsedate_to_datetime(metadata(PROJECT).headers["Date"])
    assert right == emulator.clock()
    assert (off - right).total_seconds() == -600


def test_slow_is_right_but_late(emulator, metadata):
    emulator.metadata.inject(Fault.slow(0.03))
    began = time.monotonic()
    assert metadata(PROJECT).text == "demo-project"
    assert time.monotonic() - began >= 0.03


def test_aws_error_has_the_form_of_sts(emulator, raw):
    emulator.sts.inject(Fault.aws_error("Throttling", "Rate <exceeded>", 400))
    answer = raw(emulator.sts, method="POST")
    assert (answer.status, answer.code) == (400, "Throttling")
    assert answer.message == "Rate &lt;exceeded&gt;"
    assert "<Type>Sender</Type>" in answer.text
    emulator.sts.inject(Fault.aws_error("InternalFailure", status=500))
    assert "<Type>Receiver</Type>" in raw(emulator.sts).text


def test_faults_only_where_they_can_happen(emulator):
    with pytest.raises(ValueError, match="Metadata has no fault aws_error"):
        emulator.metadata.inject(Fault.aws_error("AccessDenied"))
    with pytest.raises(ValueError, match="STS has no fault stale_token"):
        emulator.sts.inject(Fault.stale_token(60))


def test_faults_come_in_order_and_as_often_as_asked(emulator, metadata):
    emulator.metadata.inject(Fault.status(500), Fault.status(502), times=2)
    emulator.metadata.inject(Fault.status(503))
    assert [metadata(PROJECT).status for _ in range(6)] == [500, 500, 502, 502, 503, 200]


def test_a_lasting_fault_lasts_until_cleared(emulator, metadata):
    emulator.metadata.inject(Fault.status(500), times=None)
    assert {metadata(PROJECT).status for _ in range(5)} == {500}
    emulator.metadata.clear_faults()
    assert metadata(PROJECT).status == 200


def test_a_fault_waits_for_the_request_it_is_meant_for(emulator, metadata, raw):
    emulator.metadata.inject(Fault.status(500), path="zone")
    emulator.metadata.inject(Fault.status(418), when=lambda r: r.params.get("alt") == "json")
    emulator.sts.inject(Fault.status(500), action="AssumeRole")
    assert metadata(PROJECT).status == 200
    assert metadata(f"{PROJECT}?alt=json").status == 418
    assert metadata("instance/zone").status == 500
    assert raw(emulator.sts, "/?Action=GetCallerIdentity&Version=2011-06-15").status == 403
    assert raw(emulator.sts, "/?Action=AssumeRole&Version=2011-06-15").status == 500


def test_latency_holds_for_every_answer(emulator, metadata):
    emulator.metadata.latency_s = 0.02
    for _ in range(2):
        began = time.monotonic()
        assert metadata(PROJECT).status == 200
        assert time.monotonic() - began >= 0.02


def test_faults_are_values():
    assert Fault.status(503) == Fault.status(503) != Fault.status(500)
    assert len({Fault.reset(), Fault.reset(), Fault.hang(1)}) == 2
    with pytest.raises(AttributeError):
        Fault.reset().seconds = 3  # type: ignore[misc]
    assert repr(Fault.body(b"secret")) == "<Fault body>"
