"""The clouds for all measured programs, in their own process: `python clouds.py`.

The emulator's metadata server and STS, and an S3 that answers ListBuckets immediately, so that
the client is measured. Prints one line of JSON (environment variables for the programs), executes
commands of `control.Control`, and ends when its standard input is closed, with its parent.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from collections import Counter
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tls_front import tls_front

from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
_BUCKETS = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Owner><ID>0</ID></Owner><Buckets><Bucket><Name>bench</Name>"
    b"<CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets>"
    b"</ListAllMyBucketsResult>"
)


class _S3(ThreadingHTTPServer):
    """ListBuckets, and a count of requests by key: AKIA for static keys, ASIA for a role's."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _S3Handler)
        self.signed_by: Counter[str] = Counter()


class _S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        _, _, credential = self.headers.get("Authorization", "").partition("Credential=")
        assert isinstance(self.server, _S3)
        self.server.signed_by[credential[:4]] += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(_BUCKETS)))
        self.end_headers()
        self.wfile.write(_BUCKETS)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


class _Commands:
    """The commands of `control.Control`, by method name."""

    def __init__(self, cloud: Emulator, s3: _S3) -> None:
        self._cloud = cloud
        self._s3 = s3
        self._front: dict[str, str] = {}

    def reset(self) -> None:
        """Set the real clock, no latency, no faults, empty counters, one role."""
        self._cloud.reset()
        self._cloud.add_role(ROLE)
        self._s3.signed_by.clear()

    def counts(self) -> dict[str, Any]:
        return {
            "metadata": len(self._cloud.metadata.requests),
            "sts": len(self._cloud.sts.requests),
            "s3": dict(self._s3.signed_by),
            "google": len(self._cloud.google_sts.requests),
            "iam": len(self._cloud.iam_credentials.requests),
        }

    def on_aws(self, folder: str) -> dict[str, str]:
        """Return the environment of a program on AWS that Google knows, with keys in it."""
        cloud = self._cloud
        provider = cloud.add_aws_provider(attribute_mapping={"google.subject": "assertion.account"})
        account = "etl@my-project.iam.gserviceaccount.com"
        cloud.add_google_service_account(account, [provider.principal("123456789012")])
        file = os.path.join(folder, "google.json")
        with open(file, "w", encoding="utf-8") as document:
            json.dump(cloud.external_account(provider, account), document)
        cloud.add_role(ROLE, cloud.trust_policy_for_service("lambda.amazonaws.com"))
        return {**cloud.lambda_environ(ROLE), "GOOGLE_APPLICATION_CREDENTIALS": file}

    def slow(self, folder: str) -> dict[str, str]:
        """Answer as in a pod: the metadata server after 15 ms, STS after 80 ms, over TLS.

        Returns:
            The environment of a program that reaches STS over TLS.
        """
        self._cloud.metadata.latency_s = 0.015
        self._cloud.sts.latency_s = 0.08
        self._front = self._front or tls_front(urlsplit(self._cloud.sts.url).port or 0, folder)
        return dict(self._front)

    def sts_latency(self, seconds: float) -> None:
        self._cloud.sts.latency_s = seconds

    def sts_refuses(self, refuses: bool) -> None:
        """Set whether every request to STS is answered as in an outage of AWS."""
        self._cloud.sts.clear_faults()
        if refuses:
            outage = Fault.aws_error("ServiceUnavailable", "Service is unavailable.", 503)
            self._cloud.sts.inject(outage, times=None)

    def clock_at(self, timestamp: float) -> None:
        """Stop the clouds' clock at this instant."""
        instant = datetime.fromtimestamp(timestamp, timezone.utc)
        self._cloud.clock = lambda: instant

    def clock_ahead(self, seconds: float) -> None:
        """Set the clouds' clock ahead of the real clock."""
        ahead = timedelta(seconds=seconds)
        self._cloud.clock = lambda: datetime.now(timezone.utc) + ahead

    def shortest_life(self, seconds: float) -> None:
        """Let credentials for 15 minutes, the least that STS allows, expire after *seconds*.

        The clouds' clock is behind, except for the metadata server's `Date`, which pods compare.
        """
        behind_s = 900 - seconds
        self.clock_ahead(-behind_s)
        self._cloud.metadata.inject(Fault.date(behind_s), times=None)


class _ControlServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, commands: _Commands) -> None:
        super().__init__(("127.0.0.1", 0), _ControlHandler)
        self.commands = commands


class _ControlHandler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        assert isinstance(self.server, _ControlServer)
        for line in self.rfile:
            command, arguments = json.loads(line)
            result = getattr(self.server.commands, command)(**arguments)
            self.wfile.write(json.dumps(result).encode() + b"\n")


def main() -> None:
    with Emulator() as cloud, _S3() as s3:
        commands = _Commands(cloud, s3)
        commands.reset()
        with _ControlServer(commands) as control:
            for server in (s3, control):
                threading.Thread(target=server.serve_forever, daemon=True).start()
            environment = {
                **cloud.environ,
                "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3.server_address[1]}",
                "AWS_DEFAULT_REGION": "us-east-1",
                # The recipes use the variables of the well-known shell script; so does our program.
                "AWS_ROLE_ARN": ROLE,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "BENCH_CONTROL_PORT": str(control.server_address[1]),
            }
            print(json.dumps(environment), flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
