"""A service on loopback that answers requests signed with a valid key of the emulated STS."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.answers import AwsError
from gcp_aws_bridge.emulator.sigv4 import SignedRequest, verify


class Scripted(NamedTuple):
    """An answer; its content is sent as JSON, unless it is bytes."""

    status: int
    content: Any = None
    error_type: str = ""
    location: str = ""
    content_type: str = "application/json"


class Verifier(ThreadingHTTPServer):
    """Returns *answer* as JSON for valid requests to *service*, and AWS's errors for all others.

    Attributes:
        keys: The keys of the requests that were answered, in order.
        errors: The codes of the errors that were returned, in order.
        seen: All requests, in order.
        script: Answers to the next requests, whatever their signature.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cloud: Emulator, service: str, answer: Any, keys: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys, self.errors, self.seen = keys, list[str](), list[SignedRequest]()
        self.script: list[Scripted] = []
        self.answer, self._cloud, self._service = answer, cloud, service
        self.url = f"http://127.0.0.1:{self.server_port}"

    def check(self, request: SignedRequest) -> str:
        """Return the key that signed the request.

        Raises:
            AwsError: The key is unknown or expired by the cloud's clock, or the signature is wrong.
        """
        # The request has the time of the signer's own clock, which tests do not move.
        return verify(
            request,
            service=self._service,
            find_key=self._cloud.key,
            now=self._cloud.clock(),
            max_skew_s=math.inf,
        ).access_key_id


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Verifier

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        request = SignedRequest(self.command, path, query, self.headers, body)
        self.server.seen.append(request)
        if self.server.script:
            self._send(self.server.script.pop(0))
            return
        try:
            self.server.keys.append(self.server.check(request))
        except AwsError as error:
            self.server.errors.append(error.code)
            self._send(Scripted(error.status, {"message": error.message}, error.code))
        else:
            self._send(Scripted(200, self.server.answer))

    do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_POST

    def _send(self, answer: Scripted) -> None:
        content = answer.content
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        if answer.error_type:
            self.send_header("x-amzn-ErrorType", answer.error_type)
        if answer.location:
            self.send_header("Location", answer.location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def verifying(
    cloud: Emulator, service: str, answer: Any, keys: list[str] | None = None
) -> Iterator[Verifier]:
    """Run a verifier, which appends to *keys*."""
    with Verifier(cloud, service, answer, [] if keys is None else keys) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
