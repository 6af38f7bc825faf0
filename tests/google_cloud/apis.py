"""Google's APIs on loopback, which take only what is asked with a living token of the emulator.

BigQuery has one answer to each query. Cloud Storage is gcp-storage-emulator behind a check of the
bearer. Pub/Sub speaks gRPC over TLS, since gRPC sends credentials over nothing else; behind it is
Google's own emulator, where that is installed.
"""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gcp_aws_bridge.emulator import Emulator

# Where Debian's package and gcloud's components have it.
_EMULATORS = (
    "/usr/lib/google-cloud-sdk/platform/pubsub-emulator",
    "/usr/share/google-cloud-sdk/platform/pubsub-emulator",
)
_NOT_OURS = "Request had invalid authentication credentials."


class Bearers:
    """Who asked, in order: service accounts by e-mail, others by principal."""

    def __init__(self, cloud: Emulator) -> None:
        self.seen: list[str] = []
        self.tokens: list[str] = []
        self._cloud = cloud

    def admit(self, authorization: str | None) -> bool:
        """Whether it is a token that lives."""
        token = (authorization or "").removeprefix("Bearer ")
        identity = self._cloud.google_identity(token)
        if identity is None or identity.expiration <= self._cloud.clock():
            return False
        self.seen.append(identity.email or identity.principal)
        self.tokens.append(token)
        return True


@contextmanager
def storage(cloud: Emulator) -> Iterator[tuple[str, Bearers]]:
    """The address of Cloud Storage, and who asked it."""
    from gcp_storage_emulator.server import create_server

    bearers = Bearers(cloud)
    inner = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    inner.start()
    port = inner._api._httpd.server_address[1]

    class Checking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not bearers.admit(self.headers.get("Authorization")):
                self._say(401, {}, _NOT_OURS.encode())
                return
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
            asked.request(self.command, self.path, body, headers)
            got = asked.getresponse()
            self._say(got.status, dict(got.getheaders()), got.read())
            asked.close()

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "date", "server", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    front = ThreadingHTTPServer(("127.0.0.1", 0), Checking)
    thread = threading.Thread(target=front.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{front.server_address[1]}", bearers
    finally:
        front.shutdown()
        front.server_close()
        inner.stop()


# REST reference of BigQuery, v2: jobs.insert, jobs.get, jobs.query, jobs.getQueryResults.
_ROWS = {
    "jobComplete": True,
    "schema": {"fields": [{"name": "one", "type": "INTEGER", "mode": "NULLABLE"}]},
    "rows": [{"f": [{"v": "1"}]}],
    "totalRows": "1",
}


@contextmanager
def bigquery(cloud: Emulator) -> Iterator[tuple[str, Bearers]]:
    """The address of BigQuery, whose queries all have the result 1, and who asked it."""
    bearers = Bearers(cloud)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
            project = self.path.split("/projects/")[1].split("/")[0]
            found = asked.get("jobReference", {"jobId": "job"})
            reference = {"projectId": project, "location": "EU", **found}
            table = {"projectId": project, "datasetId": "d", "tableId": "t"}
            query = {"query": "SELECT 1", "destinationTable": table}
            job = {
                "jobReference": reference,
                "configuration": {"jobType": "QUERY", "query": query},
                "status": {"state": "DONE"},
                "statistics": {"query": {"statementType": "SELECT"}},
            }
            admitted = bearers.admit(self.headers.get("Authorization"))
            rows = {**_ROWS, "jobReference": reference}
            body = json.dumps(rows if "/queries" in self.path else job).encode()
            self.send_response(200 if admitted else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bearers
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def pubsub(cloud: Emulator, folder: Path) -> Iterator[tuple[str, Bearers, Path]]:
    """The address of Pub/Sub, who asked it, and the certificate that signs its own."""
    bearers = Bearers(cloud)
    key, certificate = _certificate()
    with _topics() as behind:

        class Checking(grpc.GenericRpcHandler):
            def service(self, details: Any) -> Any:
                asked_as = dict(details.invocation_metadata).get("authorization")

                def answer(request: bytes, context: Any) -> bytes:
                    if not bearers.admit(asked_as):
                        context.abort(grpc.StatusCode.UNAUTHENTICATED, _NOT_OURS)
                    try:
                        return behind(details.method, request)
                    except grpc.RpcError as error:
                        context.abort(error.code(), error.details())
                        raise AssertionError from error

                return grpc.unary_unary_rpc_method_handler(answer)

        server = grpc.server(ThreadPoolExecutor(8), [Checking()])
        port = server.add_secure_port(
            "localhost:0", grpc.ssl_server_credentials([(key, certificate)])
        )
        server.start()
        path = folder / "pubsub.pem"
        path.write_bytes(certificate)
        try:
            yield f"localhost:{port}", bearers, path
        finally:
            server.stop(0).wait()


@contextmanager
def _topics() -> Iterator[Callable[[str, bytes], bytes]]:
    """Topics of Google's own emulator, or of our own that know no more than to be published to."""
    found = next((Path(one) for one in _EMULATORS if Path(one).is_dir()), None)
    jar = next(found.glob("lib/*pubsub*.jar"), None) if found else None
    if jar is None or not shutil.which("java"):
        yield _own
        return
    port = _free_port()
    process = subprocess.Popen(
        ["java", "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        grpc.channel_ready_future(channel).result(timeout=40)
        yield lambda method, request: channel.unary_unary(method)(request, timeout=20)
    finally:
        channel.close()
        process.terminate()
        process.wait(20)


_published = threading.local()


def _own(method: str, request: bytes) -> bytes:
    from google.pubsub_v1 import types

    if method.endswith("/CreateTopic"):
        return request
    if method.endswith("/Publish"):
        messages = types.PublishRequest.deserialize(request).messages
        ids = [str(time.monotonic_ns()) for _ in messages]
        return bytes(types.PublishResponse.serialize(types.PublishResponse(message_ids=ids)))
    raise NotImplementedError(method)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _certificate() -> tuple[bytes, bytes]:
    """A key, and a certificate of localhost that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return (
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.public_bytes(pem),
    )
