"""The fuzzed code: a server on loopback with the given answer, and the library as its client.

For any answer, the library returns a usable token or usable credentials, or raises one of its own
errors without a secret in it. Everything else is a finding.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import botocore.session
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from gcp_aws_bridge import Role
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._sts import answer
from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge._tokens import http1
from gcp_aws_bridge._tokens.id_token import IdToken, parse
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge.exceptions import BridgeError

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20iLCJhdWQiOiJzdHMuYW1hem9uYXdzLmNvbSIsInN1YiI6IjEiLCJleHAiOjQxMDI0NDQ4MDB9.c2VjcmV0LXNpZ25hdHVyZQ"  # noqa: E501
# A damaged token is no secret: its signature belongs to other bytes.
SECRETS = (TOKEN, "fuzz/secret/key/of/forty/characters/0000", "fuzz-session-token-which-is-longer")
ROLE = Role("arn:aws:iam::123456789012:role/etl", role_session_name="fuzz")

METADATA_SEEDS = [
    b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: %d\r\n\r\n%s"
    % (len(TOKEN), TOKEN.encode()),
    b"HTTP/1.1 404 Not Found\r\nMetadata-Flavor: Google\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
]
_RESULT = b"AssumeRoleWithWebIdentityResult"
_KEYS = (
    b"<AssumeRoleWithWebIdentityResponse><%s><Credentials>"
    b"<AccessKeyId>ASIAFUZZFUZZFUZZFUZZ</AccessKeyId>"
    b"<SecretAccessKey>fuzz/secret/key/of/forty/characters/0000</SecretAccessKey>"
    b"<SessionToken>fuzz-session-token-which-is-longer</SessionToken>"
    b"<Expiration>2099-01-01T00:00:00Z</Expiration>"
    b"</Credentials></%s></AssumeRoleWithWebIdentityResponse>" % (_RESULT, _RESULT)
)
_ACCESS_DENIED = (
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
)
STS_SEEDS = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + _KEYS,
    b"HTTP/1.1 403 Forbidden\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n" + _ACCESS_DENIED,
    b"HTTP/1.1 403 Forbidden\r\nDate: Thu, 0%s Jan 2026\r\n\r\n" % (b"8" * 40) + _ACCESS_DENIED,
    b"HTTP/1.1 200 OK\r\nno header\r\n" + _KEYS,  # urllib3 quotes this in a warning
    b"HTTP/1.1 200 OK\r\nContent-Type: " + _KEYS,
    b"HTTP/1.1 200 OK\r\n\r\n" + _KEYS.replace(b"2099", b"2" * 80 + b"0:00R"),
]


OPERATION = "AssumeRoleWithWebIdentity"
PARSER_SEEDS = [
    _KEYS,
    _ACCESS_DENIED,
    b'<?xml version="1.0" encoding="UTF-8"?>\n' + _KEYS.replace(b"00Z", b"00.123456789+01:00"),
    _KEYS.replace(b"Response>", b'Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">', 1),
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + _KEYS.replace(b"ASIA", b"&b;"),
    b"<Error><Code>AccessDenied</Code><RequestId>1</RequestId></Error>",
]
_CHUNKS = b"3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: x\r\n\r\n"
HTTP_SEEDS = [
    *(METADATA_SEEDS[0], METADATA_SEEDS[1], STS_SEEDS[1]),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n" + _CHUNKS,
    b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
]


class Server:
    """A server that answers every request with `answer` and closes the connection."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass  # unread data would reset the connection before the answer is read


@contextlib.contextmanager
def targets() -> Iterator[dict[str, Callable[[bytes], None]]]:
    """Yield one function for each server; each takes the bytes of the answer."""
    server = Server()
    os.environ["GCE_METADATA_HOST"] = server.address
    os.environ["AWS_ENDPOINT_URL_STS"] = f"http://{server.address}"
    elapsed_s = [0.0]

    def sleep(seconds: float) -> None:
        elapsed_s[0] += seconds

    world = World(monotonic=lambda: elapsed_s[0], sleep=sleep)
    metadata = MetadataServer(deadline_s=0.05, world=world)
    sts = Sts(botocore.session.Session(), "us-east-1")
    token = parse(TOKEN, origin="fuzz")

    def fuzz_metadata(data: bytes) -> None:
        server.answer = data
        with only_our_errors():
            assert isinstance(parse(metadata(), origin="fuzz"), IdToken)

    def fuzz_sts(data: bytes) -> None:
        server.answer = data
        with only_our_errors():
            credentials = sts.assume_role_with_web_identity(token, ROLE)
            parts = (
                credentials.access_key_id,
                credentials.secret_access_key,
                credentials.session_token,
            )
            assert all(isinstance(part, str) and part for part in parts)
            assert isinstance(credentials.expiration, datetime)
            assert credentials.expiration.astimezone(timezone.utc) is not None

    try:
        yield {
            "metadata": fuzz_metadata,
            "sts": fuzz_sts,
            "parser": parser_target(),
            "http": fuzz_http,
        }
    finally:
        server.close()


def parser_target() -> Callable[[bytes], None]:
    """Return a function that parses an answer, and compares credentials with botocore's parser."""
    loader = botocore.session.Session().get_component("data_loader")
    model = ServiceModel(loader.load_service_model("sts", "service-2"), "sts")
    shape = model.operation_model(OPERATION).output_shape
    reference = create_parser("query")

    def fuzz_parser(body: bytes) -> None:
        try:
            result = answer.read(OPERATION, 200, {}, body).result
            found = answer.credentials_in(result, "123456789012")
        except (answer.UnreadableAnswer, answer.Unusable, answer.Refused) as error:
            if any(secret in f"{error}{error!r}" for secret in SECRETS):
                raise AssertionError("a secret is in the error") from None
            return
        parsed = reference.parse({"body": body, "status_code": 200, "headers": {}}, shape)
        expected = parsed["Credentials"]
        for name, part in (
            ("AccessKeyId", found.access_key_id),
            ("SecretAccessKey", found.secret_access_key),
            ("SessionToken", found.session_token),
        ):
            assert expected[name] == part, "botocore reads other credentials"
        assert abs(expected["Expiration"] - found.expiration) < timedelta(seconds=1)

    return fuzz_parser


def fuzz_http(data: bytes) -> None:
    """Read an answer, and compare it with what `http.client` reads."""
    try:
        found = http1.read(io.BufferedReader(io.BytesIO(data)), len(data))  # type: ignore[arg-type]
    except http1.InvalidAnswer:
        return
    # http.client takes informational answers other than 100 for the answer.
    if not found.is_whole or data.count(b"HTTP/1.") > 1:
        return
    reference = http.client.HTTPResponse(_Connection(data))  # type: ignore[arg-type]
    try:
        reference.begin()
        body = reference.read()
    except (http.client.HTTPException, ValueError):
        return  # such as a status below 200 with a body
    coding = reference.getheader("Transfer-Encoding", "").strip().lower()
    if coding == "chunked" and not reference.chunked:
        return  # it does not strip a tab after the value (RFC 9110, section 5.5)
    same = (reference.status, body) == (found.status, found.body)
    assert same, "http.client reads another body"


class _Connection:
    """A socket from which *data* is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@contextlib.contextmanager
def only_our_errors() -> Iterator[None]:
    """Let every error except the library's own be a finding."""
    try:
        yield
    except BridgeError as error:
        if any(secret in f"{error}{error!r}{error.__cause__}" for secret in SECRETS):
            raise AssertionError("a secret is in the error") from None
