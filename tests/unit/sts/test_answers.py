"""What becomes of an answer of STS, byte by byte, and of the TLS on the way to it."""

from __future__ import annotations

import gzip
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import Loader
from doctor import sockets
from fakes import START
from unit.servers import ROLE_ARN, Server, failure, hook, id_token

from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.errors import refused_token
from gcp_aws_bridge._sts.request import Requests
from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge._tokens.tls import _FAILURES, tls_failure
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor.sts import DoctorSts
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError

CHAINED = "arn:aws:iam::210987654321:role/chained"
ROLE = Role(ROLE_ARN, chain=[CHAINED])
TOKEN = _id_token.parse(id_token(), origin="test")
KEYS = AwsCredentials("ASIA", "secret", "token", START + timedelta(hours=1), "123456789012")
CALLS: dict[str, Callable[[DoctorSts], object]] = {
    "web identity": lambda sts: sts.assume_role_with_web_identity(TOKEN, ROLE),
    "chained": lambda sts: sts.assume_role(KEYS, ROLE, 0),
    "caller identity": lambda sts: sts.caller_identity(KEYS),
}
EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
DENIED_IDS = {"web identity": "exchange/denied", "chained": "exchange/chained-role"}


def reply(body: str | bytes, status: int = 403, **headers: str) -> bytes:
    data = body if isinstance(body, bytes) else body.encode()
    lines = {"Content-Length": str(len(data)), "Connection": "close", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + data


@pytest.fixture(params=["own requests", "botocore's client"])
def asked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ExchangeError]]:
    """Return a function that returns the error of a call to a server with this answer."""
    servers: list[Server] = []

    def ask(call: Callable[[DoctorSts], object], answer: bytes) -> ExchangeError:
        servers.append(Server(answer).__enter__())
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", servers[-1].url)
        session = botocore.session.Session()
        if request.param == "botocore's client":
            hook(session)
        sts = DoctorSts(session, "us-east-1", ROLE_ARN, 5)
        assert (request.param == "own requests") == isinstance(sts.transport, Requests)
        with pytest.raises(ExchangeError) as caught:
            call(sts)
        return caught.value

    yield ask
    for server in servers:
        server.__exit__(None, None, None)


NAMESPACE = ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
SAID = "<Code>AccessDenied</Code><Message>Not you</Message>"
# AWS's form and Ceph's, with and without what may stand around and beside the two members.
FORMS = {
    "AWS": f"<ErrorResponse{NAMESPACE}><Error><Type>Sender</Type>{SAID}</Error>"
    "<RequestId>7</RequestId></ErrorResponse>",
    "AWS, no namespace": f"<ErrorResponse><Error>{SAID}</Error></ErrorResponse>",
    "AWS, declared": f'<?xml version="1.0"?>\n<ErrorResponse><Error>{SAID}</Error></ErrorResponse>',
    "Ceph": f"<Error>{SAID}</Error>",
    "Ceph, declared": f'<?xml version="1.0" encoding="UTF-8"?><Error>{SAID}</Error>',
    "Ceph, ids": f"<Error>{SAID}<RequestId>7</RequestId><HostId>h-1-2</HostId></Error>",
    "Ceph, namespace": f"<Error{NAMESPACE}>{SAID}</Error>",
    "Ceph, bucket": f"<Error>{SAID}<BucketName/><Resource>/</Resource></Error>",
    "Ceph, indented": "<Error>\n  <Code>\n AccessDenied </Code>\n  <Message/>\n</Error>\n",
    "Ceph, no message": "<Error><Code>AccessDenied</Code></Error>",
    "EC2": f"<Response><Errors><Error>{SAID}</Error></Errors><RequestID>7</RequestID></Response>",
}


@EVERY_CALL
@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_error_of_either_form_is_read(
    asked: Callable[..., ExchangeError], call: Callable[[DoctorSts], object], form: str
) -> None:
    error = asked(call, reply(form, Content_Type="application/xml"))
    name = next(name for name, one in CALLS.items() if one is call)
    assert DENIED_IDS.get(name, "exchange/refused") == error.error_id
    assert ("AccessDenied", False) == (error.code, error.retryable)
    assert ("Not you" in form) == ('"Not you"' in error.message)
    assert ("7" if "<RequestId>7" in form else "") == error.request_id


@EVERY_CALL
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("", 403),
        (" ", 400),
        ("<html><body>Blocked</body></html>", 403),
        ("<!DOCTYPE html><p>Blocked", 403),
        ('{"message": "Forbidden"}', 403),
        ('{"Error": {"Code": "AccessDenied", "Message": "m"}}', 403),
        (gzip.compress(FORMS["AWS"].encode(), mtime=0), 403),
        (FORMS["Ceph"][:-5], 403),
        ("<Error/>", 403),
        ("<Error>AccessDenied</Error>", 403),
        ("<Error><Code/></Error>", 403),
        ("<Error><Code>403</Code></Error>", 403),
        ("<Error><Code><b>AccessDenied</b></Code></Error>", 403),
        ("<Error><Code>A</Code><Code>B</Code></Error>", 403),
        ("<ErrorResponse><Error>x</Error></ErrorResponse>", 403),
        ("<ErrorResponse><Error/><Error/></ErrorResponse>", 403),
        ("<Other><Thing>1</Thing></Other>", 403),
        (b"\xff\xfe\x00", 403),
    ],
    ids=lambda value: str(value)[:30],
)
def test_answer_that_is_no_error_of_sts_names_status_and_form(
    asked: Callable[..., ExchangeError],
    call: Callable[[DoctorSts], object],
    answer: str | bytes,
    status: int,
) -> None:
    error = asked(call, reply(answer, status, Content_Type="Text/HTML; a=b", Content_Encoding="br"))
    assert ("exchange/garbage", False) == (error.error_id, error.retryable)
    assert f"HTTP {status}, text/html, br (" in error.message


@EVERY_CALL
@pytest.mark.parametrize("header", ["Content_Type", "Content_Encoding"])
def test_header_that_is_a_piece_of_the_answer_is_not_shown(
    asked: Callable[..., ExchangeError], call: Callable[[DoctorSts], object], header: str
) -> None:
    secret = "a/Secret/key"
    error = asked(call, reply("<html>", 403, **{header: f"text/html<SessionToken>{secret}"}))
    assert "HTTP 403, unknown form (" in error.message
    assert secret not in f"{error}{error!r}"


@pytest.mark.parametrize("name", ["AssumeRoleWithWebIdentity", "AssumeRole"])
def test_time_that_cannot_be_parsed_is_an_unusable_answer(
    asked: Callable[..., ExchangeError], name: str
) -> None:
    given = f"<Credentials><Expiration>{'2' * 80}0:00R</Expiration></Credentials>"
    body = f"<{name}Response><{name}Result>{given}</{name}Result></{name}Response>"
    call = CALLS["chained" if name == "AssumeRole" else "web identity"]
    error = asked(call, reply(body, 200))
    assert ("exchange/garbage", "UnreadableAnswer") == (error.error_id, error.code)
    assert error.retryable


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("form", ["", "<html></html>", FORMS["Ceph"], '{"message": "x"}'])
def test_overload_is_tried_again_in_any_form(
    asked: Callable[..., ExchangeError], status: int, form: str
) -> None:
    error = asked(CALLS["web identity"], reply(form, status))
    assert error.retryable
    assert error.error_id in ("exchange/unavailable", "exchange/denied")


# -- the client --------------------------------------------------------------------------------


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """botocore as in a zip archive; the folder that its data are in elsewhere."""
    folder = Loader.BUILTIN_DATA_PATH
    monkeypatch.setattr(Loader, "BUILTIN_DATA_PATH", str(tmp_path / "botocore.zip/data"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    return str(folder)


def test_data_files_that_are_missing_are_not_the_regions_fault(
    monkeypatch: pytest.MonkeyPatch, no_data: str
) -> None:
    error = failure(
        ConfigError,
        "config/botocore-data",
        lambda: Sts(botocore.session.Session(), "us-east-1"),
        seen=["does not find its own data files", "endpoints"],
    )
    assert "region" not in error.message
    assert error.__cause__ is None
    monkeypatch.setenv("AWS_DATA_PATH", no_data)  # as the message says
    assert "us-east-1" == Sts(botocore.session.Session(), "us-east-1").region_name


def test_model_of_sts_that_is_missing_is_not_the_regions_fault(
    monkeypatch: pytest.MonkeyPatch, no_data: str, tmp_path: Path
) -> None:
    for name in ("endpoints.json", "partitions.json", "sdk-default-configuration.json"):
        for file in Path(no_data).glob(f"{name}*"):
            shutil.copy(file, tmp_path)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    make = lambda: Sts(hook(botocore.session.Session()), "us-east-1")  # noqa: E731
    failure(ConfigError, "config/botocore-data", make, seen=["sts"])


# -- TLS ---------------------------------------------------------------------------------------

RESULT = f"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>wholly-secret</SecretAccessKey>
<SessionToken>session-token</SessionToken>
<Expiration>{START + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


def exchanged(monkeypatch: pytest.MonkeyPatch, url: str, bundle: Path | None = None) -> str:
    """The access key that the STS at *url* gives."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    if bundle is not None:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    sts = Sts(botocore.session.Session(), "us-east-1")
    return sts.assume_role_with_web_identity(TOKEN, ROLE).access_key_id


def tls_error(
    monkeypatch: pytest.MonkeyPatch, url: str, bundle: Path | None = None
) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        exchanged(monkeypatch, url, bundle)
    error = caught.value
    assert ("exchange/tls", "SSLError") == (error.error_id, error.code)
    assert "DNS" not in error.message.replace("a wrong DNS entry", "")
    assert "egress" not in error.message
    assert len(f"{error.args[0]} Fix: {error.fix}") <= 320
    return error


@pytest.mark.parametrize(
    ("bundle", "content"),
    [("missing.pem", None), ("empty.pem", ""), ("text.pem", "hello"), ("folder", ...)],
)
def test_bundle_that_cannot_be_used_is_named_and_corrected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: str, content: object
) -> None:
    if content is ...:
        (tmp_path / bundle).mkdir()
    elif isinstance(content, str):
        (tmp_path / bundle).write_text(content)
    with sockets.tls(tmp_path, trusted=True, reply=reply(RESULT, 200)) as url:
        error = tls_error(monkeypatch, url, tmp_path / bundle)
        assert "the file of trusted certificates cannot be used" in error.message
        assert "AWS_CA_BUNDLE" in error.fix
        assert not error.retryable
        assert "ASIAX" == exchanged(monkeypatch, url, tmp_path / "authority.pem")


def test_authority_of_an_intercepting_proxy_is_to_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with sockets.tls(tmp_path, trusted=True, reply=reply(RESULT, 200)) as url:
        error = tls_error(monkeypatch, url)
        assert ("is not trusted here" in error.message, error.retryable) == (True, False)
        assert "ASIAX" == exchanged(monkeypatch, url, tmp_path / "authority.pem")


@pytest.mark.parametrize(
    ("certificate", "seen"),
    [
        ({"host": "other.example"}, "the certificate is for another name"),
        ({"host": "127.0.0.2"}, "the certificate is for another name"),
        ({"days": -1}, "the certificate is not valid at this time"),
    ],
)
def test_wrong_certificate_is_told_from_a_wrong_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: dict[str, object], seen: str
) -> None:
    with sockets.tls(tmp_path, trusted=True, **certificate) as url:  # type: ignore[arg-type]
        error = tls_error(monkeypatch, url, tmp_path / "authority.pem")
    assert (True, False) == (seen in error.message, error.retryable)


def raw(answer: bytes) -> str:
    """An address that answers the first bytes of a handshake with these, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"https://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "seen", "again"),
    [
        # Alerts: RFC 8446, section 6.
        (bytes([21, 3, 3, 0, 2, 2, 20]), "a TLS record arrived damaged", True),
        (bytes([21, 3, 3, 0, 2, 2, 40]), "refused the handshake", True),
        (bytes([21, 3, 3, 0, 2, 2, 70]), "refused the handshake", True),
        (bytes([21, 3, 3, 0, 2, 2, 80]), "refused the handshake", True),
        (bytes([21, 3, 3, 0, 2, 2, 112]), "refused the handshake", True),
        (bytes([21, 3, 3, 0, 2, 2, 42]), "requests a client certificate", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS", True),
        (b"\x16\x03\x03\x00\x02zz", "the connection was closed during the handshake", True),
    ],
)
def test_handshake_that_fails_says_how(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, seen: str, again: bool
) -> None:
    error = tls_error(monkeypatch, raw(answer))
    assert (True, again) == (seen in error.message, error.retryable)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        # As other releases of OpenSSL, Python and urllib3 say it.
        ("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed", "arrived damaged"),
        ("[SSL] record layer failure (_ssl.c:2578)", "arrived damaged"),
        ("[SSL: SSL/TLS_ALERT_BAD_RECORD_MAC] ssl/tls alert bad record mac", "arrived damaged"),
        ("Hostname mismatch, certificate is not valid for 'sts'.", "for another name"),
        ("IP address mismatch, certificate is not valid for '::1'.", "for another name"),
        ("certificate verify failed: unable to get local issuer certificate", "not trusted here"),
        ("certificate verify failed: self signed certificate in chain", "not trusted here"),
        ("certificate verify failed: certificate is not yet valid", "not valid at this time"),
        ("certificate verify failed: Missing Authority Key Identifier (_ssl", "rejected"),
        ("certificate verify failed: EE certificate key too weak (_ssl.c:1)", "rejected"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "client certificate"),
        (
            "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate exp",
            "a client certificate",
        ),
        ("[SSL: HTTPS_PROXY_REQUEST] https proxy request", "does not speak TLS"),
        (
            "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate r",
            "a client certificate",
        ),
        ("[SSL: HTTP_REQUEST] http request", "does not speak TLS"),
        ("[X509] PEM lib (_ssl.c:4149)", "cannot be used"),
        ("[Errno 13] Permission denied", "cannot be used"),
        ("EOF occurred in violation of protocol", "closed during the handshake"),
        ("something new", "the handshake failed"),
        ("", "the handshake failed"),
    ],
)
def test_words_of_any_openssl_are_told_apart(text: str, seen: str) -> None:
    assert seen in tls_failure(text).seen


def test_each_kind_of_tls_failure_has_its_advice() -> None:
    assert len(_FAILURES) == len({one.seen for one in _FAILURES}) == len({x.fix for x in _FAILURES})
    assert all(one.fix.endswith(".") for one in _FAILURES)


def test_tokens_issuer_is_named_in_every_error() -> None:
    cluster = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"
    raw_token = id_token(iss=cluster, azp=..., sub="system:serviceaccount:a:b")
    token = _id_token.parse(raw_token, origin="test")
    for code in ("AccessDenied", "IDPRejectedClaim", "InvalidIdentityToken", "Throttling"):
        seen = {"code": code, "message": "m", "status": 400, "request_id": ""}
        error = refused_token(token, ROLE, **seen)  # type: ignore[arg-type]
        assert f'"{cluster}"' in str(error.args[0])
        assert "Google ID token" not in error.message
