"""`signer()` with the clients of httpx, httpx2 and requests, and a service that verifies."""

from __future__ import annotations

import asyncio
import functools
import inspect
import io
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crash_reports
import httpx
import pytest
import requests
from fakes import Journey
from hypothesis import given, settings
from hypothesis import strategies as st
from suite import examples
from verifier import Scripted, Verifier, verifying

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError

from .conftest import ROLE

SERVICE, REGION = "execute-api", "eu-west-1"
SIGNATURE = {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
CLIENTS = ["httpx", "httpx of asyncio", "httpx2", "httpx2 of asyncio", "requests"]

Send = Callable[..., Any]


@pytest.fixture
def service(pod: Emulator) -> Iterator[Verifier]:
    with verifying(pod, SERVICE, "hello") as server:
        yield server


@pytest.fixture
def other(pod: Emulator) -> Iterator[Verifier]:
    """A host that no signer allows."""
    with verifying(pod, SERVICE, "hello") as server:
        yield server


def host_of(url: str) -> str:
    return url.partition("://")[2]


def signer_for(server: Verifier, **settings: Any) -> Any:
    arguments = {"service": SERVICE, "region": REGION, "hosts": [host_of(server.url)]}
    return bridge.signer(ROLE, **{**arguments, **settings})


@pytest.fixture(params=CLIENTS)
def send(request: pytest.FixtureRequest) -> Send:
    """Send a request with one of the clients: `send(signer, method, url, …)`."""
    return sender(request.param)


def sender(client: str) -> Send:
    library, _, kind = client.partition(" ")
    module = requests if library == "requests" else pytest.importorskip(library)
    if library == "requests":
        return send_by_requests
    return send_in_loop(module) if kind else send_by_httpx(module)


def send_by_requests(
    signer: Any, method: str, url: str, *, content: Any = None, follow: bool = True, **more: Any
) -> Any:
    with requests.Session() as session:
        session.auth = signer
        return session.request(
            method, url, data=content, allow_redirects=follow, timeout=30, **more
        )


def send_by_httpx(module: Any) -> Send:
    def send(signer: Any, method: str, url: str, *, follow: bool = True, **more: Any) -> Any:
        # Loading the certificates for `verify` takes longer than the request.
        with module.Client(auth=signer, follow_redirects=follow, verify=False) as client:
            return client.request(method, url, **more)

    return send


def send_in_loop(module: Any) -> Send:
    async def sent(signer: Any, method: str, url: str, follow: bool, more: Any) -> Any:
        options = {"auth": signer, "follow_redirects": follow, "verify": False}
        async with module.AsyncClient(**options) as client:
            return await client.request(method, url, **more)

    def send(signer: Any, method: str, url: str, *, follow: bool = True, **more: Any) -> Any:
        return asyncio.run(sent(signer, method, url, follow, more))

    return send


def failure(error_id: str, call: Callable[[], object]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        call()
    assert error_id == caught.value.error_id
    return caught.value


# -- what is signed ------------------------------------------------------------------------------


def test_request_is_signed_with_a_session_token(send: Send, service: Verifier) -> None:
    answer = send(signer_for(service), "GET", f"{service.url}/prod/items?b=2&a=1")
    assert (200, "hello") == (answer.status_code, answer.json())
    [request] = service.seen
    assert "x-amz-security-token" in request.headers["Authorization"].partition("Signature=")[0]


@pytest.mark.parametrize("client", CLIENTS)
def test_signature_of_any_request_covers_the_bytes_that_are_sent(
    client: str, service: Verifier
) -> None:
    signer, send = signer_for(service), sender(client)
    text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=6)
    # Without empty and relative segments, which services remove before they verify.
    path = st.lists(text.filter(lambda part: part.strip(".") and "/" not in part), max_size=3)
    value = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9)
    name = st.sampled_from(["X-Amz-Meta-A", "x-amzn-Session", "Content-Type", "Accept", "X-Other"])

    @settings(max_examples=examples(60), deadline=None, derandomize=True)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
        path,
        st.lists(st.tuples(text, text), max_size=4),
        st.dictionaries(name, value),
        st.binary(max_size=20),
    )
    def check(method: str, path: Any, params: Any, headers: Any, content: bytes) -> None:
        url = service.url + "".join(f"/{part.replace('?', '%3F')}" for part in path)
        url = url.replace("#", "%23")
        sent = {"params": params, "headers": headers, "content": content}
        answer = send(signer, method, url, **sent)
        assert 200 == answer.status_code, answer.text
        assert content == service.seen[-1].body

    check()


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("", "/"),
        ("?", "/"),
        ("/a+b:c@d", "/a+b:c@d"),
        ("/a%2fb%7e%41", "/a%2Fb~A"),
        ("/a b/ü", "/a%20b/%C3%BC"),
        ("/?a=b+c&d=e%20f", "/?a=b%20c&d=e%20f"),
        ("/?b=2&a=1&b=1&a", "/?b=2&a=1&b=1&a"),
        ("/?empty=&=value&&flag", "/?empty=&=value&flag"),
        ("/?q=a:b/c@d!e'(f)*g;h,i$j", "/?q=a%3Ab%2Fc%40d%21e%27%28f%29%2Ag%3Bh%2Ci%24j"),
        ("/?q=%2a%2A%7e~", "/?q=%2A%2A~~"),
        ("/?ü=é", "/?%C3%BC=%C3%A9"),
        ("/?a==b", "/?a=%3Db"),
        ("/a#fragment", "/a"),
    ],
)
def test_target_is_sent_in_the_encoding_that_is_signed(
    send: Send, service: Verifier, target: str, sent: str
) -> None:
    assert 200 == send(signer_for(service), "GET", service.url + target).status_code
    [request] = service.seen
    query = f"?{request.query}" if request.query else ""
    assert sent == request.path + query


def test_credentials_are_refreshed_between_requests(
    send: Send, service: Verifier, journey: Journey, pod: Emulator
) -> None:
    signer = signer_for(service)
    for _ in range(2):
        assert 200 == send(signer, "GET", service.url).status_code
    assert 1 == len(set(service.keys))
    journey.travel(minutes=61)
    assert 200 == send(signer, "GET", service.url).status_code
    assert 2 == len(set(service.keys)) == len(pod.sts.requests)


def test_threads_share_a_signer(send: Send, service: Verifier) -> None:
    signer, statuses = signer_for(service), []

    def work() -> None:
        answer = send(signer, "PUT", f"{service.url}/a?b=c", content=b"body")
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200] * 12 == statuses
    assert 1 == len(set(service.keys))


def test_tasks_share_a_signer(service: Verifier) -> None:
    signer = signer_for(service)

    async def all_of_them() -> list[Any]:
        async with httpx.AsyncClient(auth=signer) as client:
            return await asyncio.gather(*(client.get(f"{service.url}/{n}") for n in range(12)))

    assert [200] * 12 == [answer.status_code for answer in asyncio.run(all_of_them())]
    assert 1 == len(set(service.keys))


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_event_loop_runs_while_credentials_are_exchanged(
    library: str, service: Verifier, pod: Emulator
) -> None:
    module = pytest.importorskip(library)
    token, released = threading.Event(), threading.Event()

    def source() -> str:
        token.set()
        released.wait(10)
        return pod.mint("sts.amazonaws.com")

    signer = signer_for(service, token_source=source)

    async def both() -> int:
        async with module.AsyncClient(auth=signer) as client:
            request = asyncio.ensure_future(client.get(service.url))
            while not token.is_set():  # noqa: ASYNC110 - only if the loop is not blocked
                await asyncio.sleep(0.001)
            released.set()
            return int((await request).status_code)

    assert 200 == asyncio.run(both())


def test_signer_pickles_as_settings(send: Send, service: Verifier) -> None:
    pickled = pickle.dumps(signer_for(service))
    assert len(pickled) < 1000
    copy = pickle.loads(pickled)
    assert 200 == send(copy, "GET", service.url).status_code
    assert repr(copy) == repr(signer_for(service))
    assert f"of {SERVICE} in {REGION}, for {host_of(service.url)}" in repr(copy)


def test_failed_exchange_is_the_error_of_the_library(
    send: Send, service: Verifier, pod: Emulator
) -> None:
    pod.remove_role(ROLE)
    with pytest.raises(ExchangeError, match=r"\[exchange/denied\]"):
        send(signer_for(service), "GET", service.url)
    assert [] == service.seen


@pytest.mark.parametrize("client", CLIENTS)
def test_signed_request_that_is_sent_again_shows_no_secret_if_the_exchange_fails(
    client: str, service: Verifier, pod: Emulator, journey: Journey
) -> None:
    with crash_reports.written_down() as secrets:
        signer = signer_for(service)
        signed = sender(client)(signer, "GET", service.url).request
        assert secrets.in_text(str(dict(signed.headers)))
        pod.remove_role(ROLE)
        journey.travel(minutes=70)
        error = crash_reports.raised(lambda: send_signed(client, signer, signed))
    assert isinstance(error, ExchangeError)
    shown = [str(frame.f_locals) for frame in crash_reports.frames(error)]
    assert not any(map(secrets.in_text, shown))


def send_signed(client: str, signer: Any, signed: Any) -> None:
    if client == "requests":
        signer(signed)
        return
    module = pytest.importorskip(client.partition(" ")[0])

    async def in_loop() -> None:
        async with module.AsyncClient(auth=signer, verify=False) as opened:
            await opened.send(signed)

    if "asyncio" in client:
        asyncio.run(in_loop())
    else:
        with module.Client(auth=signer, verify=False) as opened:
            opened.send(signed)


def test_debug_log_has_no_signature(
    send: Send, service: Verifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send(signer_for(service), "GET", service.url)
    assert "CanonicalRequest" not in caplog.text  # its headers include the session token


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"body", "übung"])
def test_body_is_signed(send: Send, service: Verifier, content: Any) -> None:
    assert 200 == send(signer_for(service), "POST", service.url, content=content).status_code
    expected = content.encode() if isinstance(content, str) else content
    assert expected == service.seen[-1].body


def test_form_and_files_of_requests_are_signed(service: Verifier) -> None:
    auth = signer_for(service)
    for body in ({"data": {"a": "b c"}}, {"json": {"a": 1}}, {"files": {"file": b"content"}}):
        assert 200 == requests.post(service.url, auth=auth, timeout=30, **body).status_code


def test_file_is_signed_from_its_position(service: Verifier) -> None:
    file = io.BytesIO(b"skipped body")
    file.seek(8)
    assert (
        200 == send_by_requests(signer_for(service), "PUT", service.url, content=file).status_code
    )
    assert b"body" == service.seen[-1].body


def stream(read: list[str]) -> Iterator[bytes]:
    read.append("read")
    yield b"body"


async def async_stream(read: list[str]) -> Any:
    read.append("read")
    yield b"body"


@pytest.mark.parametrize("client", CLIENTS)
def test_stream_is_not_read_and_the_fixes_work(client: str, service: Verifier) -> None:
    read: list[str] = []
    signer, send = signer_for(service), sender(client)
    of_client = async_stream if "asyncio" in client else stream
    error = failure(
        "config/signed-body",
        lambda: send(signer, "POST", service.url, content=of_client(read)),
    )
    assert ([], []) == (read, service.seen)
    assert "pass bytes" in error.fix
    assert "X-Amz-Content-SHA256" in error.fix
    # The verifier hashes what it receives by Content-Length.
    headers = {"X-Amz-Content-SHA256": EMPTY_HASH}
    empty = iter(()) if "asyncio" not in client else nothing()
    answer = send(signer, "POST", service.url, content=empty, headers=headers)
    assert 200 == answer.status_code
    assert b"" == service.seen[-1].body


EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


async def nothing() -> Any:
    for _ in ():
        yield b""


@pytest.mark.filterwarnings("ignore::requests.exceptions.FileModeWarning")
def test_pipe_and_text_file_are_streams(service: Verifier, tmp_path: Path) -> None:
    signer, text = signer_for(service), tmp_path / "text"
    text.write_text("body", encoding="utf-8")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb"), text.open() as file:
        for body in (pipe, file):
            send = functools.partial(send_by_requests, signer, "PUT", service.url, content=body)
            failure("config/signed-body", send)
    assert [] == service.seen


def test_stream_that_was_read_before_is_signed(service: Verifier) -> None:
    with httpx.Client(auth=signer_for(service)) as client:
        request = client.build_request("POST", service.url, content=stream([]))
        request.read()
        del request.headers["Transfer-Encoding"]
        request.headers["Content-Length"] = "4"
        assert 200 == client.send(request).status_code
        upload = client.build_request("POST", service.url, files={"file": b"content"})
        upload.read()
        assert 200 == client.send(upload).status_code
    assert b"body" == service.seen[0].body


def test_hash_of_an_earlier_body_is_replaced(send: Send, service: Verifier) -> None:
    headers = dict.fromkeys(SIGNATURE, "a former value") | {"x-amz-content-sha256": EMPTY_HASH}
    answer = send(signer_for(service), "POST", service.url, content=b"body", headers=headers)
    assert 200 == answer.status_code


def test_header_that_clients_encode_differently_is_an_error(send: Send, service: Verifier) -> None:
    headers = {"X-Amz-Meta-Name": "é".encode("latin-1")}
    error = failure(
        "config/signed-header",
        lambda: send(signer_for(service), "GET", service.url, headers=headers),
    )
    assert "quote" in error.fix
    assert (
        200
        == send(
            signer_for(service), "GET", service.url, headers={"X-Amz-Meta-Name": "%C3%A9"}
        ).status_code
    )


# -- hosts ---------------------------------------------------------------------------------------


def test_request_to_another_host_is_an_error_and_not_sent(
    send: Send, service: Verifier, other: Verifier
) -> None:
    signer = signer_for(service)
    error = failure("config/host-not-allowed", lambda: send(signer, "GET", other.url))
    assert host_of(other.url) in error.args[0]
    assert [] == other.seen
    wider = signer_for(service, hosts=[host_of(service.url), host_of(other.url)])
    assert 200 == send(wider, "GET", other.url).status_code  # the fix


@pytest.mark.parametrize("header", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.:"])
def test_another_host_header_is_an_error_and_not_sent(
    send: Send, service: Verifier, header: str
) -> None:
    headers = {"Host": header}
    error = failure(
        "config/host-not-allowed",
        lambda: send(signer_for(service), "GET", service.url, headers=headers),
    )
    assert "Host header" in error.args[0]
    assert [] == service.seen


def test_same_host_header_is_signed_as_it_is_sent(send: Send, service: Verifier) -> None:
    headers = {"host": host_of(service.url)}
    answer = send(signer_for(service), "GET", service.url, headers=headers)
    assert 200 == answer.status_code


def test_user_name_in_the_url_is_an_error(send: Send, service: Verifier) -> None:
    url = service.url.replace("://", "://user:secret@")
    error = failure("config/host-not-allowed", lambda: send(signer_for(service), "GET", url))
    assert "secret" not in str(error)
    assert [] == service.seen


def test_plain_http_to_another_machine_is_an_error(send: Send, pod: Emulator) -> None:
    signer = bridge.signer(ROLE, service=SERVICE, region=REGION, hosts=["192.0.2.1"])
    failure("config/signer-plain-http", lambda: send(signer, "GET", "http://192.0.2.1/"))
    assert [] == pod.sts.requests


def test_plain_http_through_a_proxy_is_an_error(
    send: Send, service: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    failure("config/signer-plain-http", lambda: send(signer_for(service), "GET", service.url))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert 200 == send(signer_for(service), "GET", service.url).status_code


# -- redirects -----------------------------------------------------------------------------------

STATUSES = [301, 302, 303, 307, 308]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("to", ["other", "same"])
def test_redirect_is_an_error_and_not_followed(
    send: Send, service: Verifier, other: Verifier, status: int, method: str, to: str
) -> None:
    target = other if to == "other" else service
    service.script = [Scripted(status, location=f"{target.url}/elsewhere")]
    content = b"body" if method == "POST" else None
    error = failure(
        "config/signer-redirect",
        lambda: send(signer_for(service), method, service.url, content=content),
    )
    assert f"{target.url}/elsewhere" in error.args[0]
    assert (1, 0) == (len(service.seen), len(other.seen))
    wider = signer_for(service, hosts=[host_of(service.url), host_of(other.url)])
    assert 200 == send(wider, method, f"{target.url}/elsewhere", content=content).status_code


@pytest.mark.parametrize("client", [one for one in CLIENTS if one != "requests"])
def test_redirect_that_the_client_does_not_follow_has_no_signature(
    client: str, service: Verifier, other: Verifier
) -> None:
    service.script = [Scripted(307, location=other.url)]
    answer = sender(client)(signer_for(service), "GET", service.url, follow=False)
    assert 307 == answer.status_code
    assert set() == SIGNATURE & {name.lower() for name in answer.next_request.headers}
    with httpx.Client() as unsigned:  # another client, without a signer
        assert 403 == unsigned.get(str(answer.next_request.url)).status_code


@pytest.mark.parametrize("client", [one for one in CLIENTS if one != "requests"])
def test_redirect_is_not_followed_after_a_program_restored_the_method_of_httpx(
    client: str, service: Verifier, other: Verifier
) -> None:
    send, module = sender(client), pytest.importorskip(client.partition(" ")[0])
    send(signer_for(service), "GET", service.url)
    for kind in (module.Client, module.AsyncClient):
        own = inspect.unwrap(kind._send_handling_redirects)
        assert own is not kind._send_handling_redirects
        kind._send_handling_redirects = own
    service.script = [Scripted(307, location=other.url)]
    failure("config/signer-redirect", lambda: send(signer_for(service), "GET", service.url))
    assert [] == other.seen


def test_mcp_follows_by_signing_the_next_request(service: Verifier) -> None:
    """MCP's client sends `next_request` itself, if it has the same origin."""
    service.script = [Scripted(307, location=f"{service.url}/next")]
    with httpx.Client(auth=signer_for(service)) as client:
        answer = client.get(service.url)
        assert 200 == client.send(answer.next_request).status_code
    assert "/next" == service.seen[-1].path


@pytest.mark.parametrize("client", CLIENTS)
def test_unsigned_requests_still_follow_redirects(
    client: str, service: Verifier, other: Verifier
) -> None:
    send = sender(client)
    send(signer_for(service), "GET", service.url)
    service.script = [Scripted(302, location=other.url)]
    assert 403 == send(None, "GET", service.url).status_code
    assert 1 == len(other.seen)


# -- rejected keys -------------------------------------------------------------------------------

REJECTED = Scripted(403, {"message": "expired"}, "ExpiredTokenException")


def test_revoked_key_is_replaced_and_the_request_sent_again(
    send: Send, service: Verifier, pod: Emulator
) -> None:
    signer = signer_for(service)
    send(signer, "GET", service.url)
    pod.revoke(*service.keys)
    answer = send(signer, "POST", f"{service.url}/a?b=c", content=b"body")
    assert (200, "hello") == (answer.status_code, answer.json())
    assert ["InvalidClientTokenId"] == service.errors
    assert 2 == len(set(service.keys))
    assert b"body" == service.seen[-1].body
    assert [403] == [one.status_code for one in answer.history]


def test_redirect_of_the_second_attempt_is_not_followed(
    send: Send, service: Verifier, other: Verifier
) -> None:
    signer = signer_for(service)
    service.script = [REJECTED, Scripted(302, location=other.url)]
    failure("config/signer-redirect", lambda: send(signer, "GET", service.url))
    assert [] == other.seen


def test_request_is_sent_again_only_once(send: Send, service: Verifier) -> None:
    service.script = [REJECTED] * 3
    assert 403 == send(signer_for(service), "GET", service.url).status_code
    assert 2 == len(service.seen)


@pytest.mark.parametrize(
    ("status", "error_type", "answer", "is_rejection"),
    [
        (403, "ExpiredTokenException:http://internal.amazon.com/coral/", {}, True),
        (400, "", {"__type": "com.amazon.coral.service#UnrecognizedClientException"}, True),
        (403, "", {"message": "The security token included in the request is expired"}, True),
        (403, "", {"Code": "InvalidClientTokenId"}, True),
        (400, "", b"<Error><Code>ExpiredToken</Code></Error>", True),
        (403, "", {"message": "User is not authorized"}, False),
        (403, "AccessDeniedException", {"message": "ExpiredToken"}, False),
        (500, "ExpiredTokenException", {}, False),
    ],
)
def test_rejection_is_recognized_in_any_protocol(
    service: Verifier, status: int, error_type: str, answer: Any, is_rejection: bool
) -> None:
    service.script = [Scripted(status, answer, error_type)]
    send_by_requests(signer_for(service), "GET", service.url)
    assert (2 if is_rejection else 1) == len(service.seen)


@pytest.mark.parametrize("charset", ["hex", "idna", "rot13", "punycode", "undefined"])
def test_charset_of_an_error_does_not_matter(send: Send, service: Verifier, charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    service.script = [Scripted(403, b"\xff{}", content_type=content_type)]
    answer = send(signer_for(service), "GET", service.url)
    assert (403, b"\xff{}") == (answer.status_code, answer.content)
    service.script = [Scripted(403, b'{"code": "ExpiredToken"}', content_type=content_type)]
    assert 200 == send(signer_for(service), "GET", service.url).status_code


def test_access_denied_is_not_sent_again(send: Send, service: Verifier) -> None:
    signer = signer_for(service, service="lambda")  # the verifier wants another service
    assert 403 == send(signer, "GET", service.url).status_code
    assert 1 == len(service.seen)


def test_stream_of_a_rejected_request_is_not_sent_again(service: Verifier, pod: Emulator) -> None:
    signer = signer_for(service)
    send_by_requests(signer, "GET", service.url)
    pod.revoke(*service.keys)
    body = {"content": io.BytesIO(b"body")}
    assert 403 == send_by_requests(signer, "PUT", service.url, **body).status_code
    body["content"].seek(0)
    assert 200 == send_by_requests(signer, "PUT", service.url, **body).status_code


# -- other libraries -----------------------------------------------------------------------------


def test_httpx_may_be_imported_after_the_signer_is_created(service: Verifier) -> None:
    program = f"""
import sys
import gcp_aws_bridge as bridge
signer = bridge.signer({ROLE!r}, service={SERVICE!r}, region={REGION!r}, hosts=["a.example"])
assert not {{"httpx", "httpx2", "requests"}} & set(sys.modules)
import httpx
assert isinstance(signer, httpx.Auth)
assert type(signer).__name__ == "Signer"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_renamed_method_of_httpx_is_an_error_before_the_request(
    service: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("httpx.Client._send_handling_redirects")
    with httpx.Client(auth=signer_for(service)) as client:
        error = failure("config/internals", lambda: client.get(service.url))
    assert "has no Client._send_handling_redirects" in error.args[0]
    assert [] == service.seen
