"""Sends requests to STS without botocore, for commands that end after one request.

It has the interface of `Requests`, the same time-outs, limits and errors, and no proxy, redirects
or retries. `direct_settings` decides whether it can be used.
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
from collections.abc import Mapping
from typing import Any

from gcp_aws_bridge._sts import answer, query
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens import http1
from gcp_aws_bridge._tokens.bounded_reader import MOST_BYTES, BoundedReader
from gcp_aws_bridge._version import __version__

_CONNECT_S, _READ_S = 5.0, 10.0  # as in `client.CONFIG`
_AGENT = f"gcp-aws-bridge/{__version__} lang/python#{'.'.join(map(str, sys.version_info[:3]))}"


class _TooLong(Exception):
    pass


class DirectRequests:
    """Requests to STS, each over a connection of its own.

    Args:
        url: HTTPS, or plain HTTP to loopback: scheme, host and perhaps a port, of which the host
            is a name or an IPv4 address.
        trusted: File of trusted certificates. None: botocore's default.
    """

    proxy = ""

    def __init__(self, url: str, trusted: str | None) -> None:
        self.url = url
        self._scheme, _, self._place = url.partition("://")
        self._trusted = trusted

    def send(
        self, operation: str, parameters: Mapping[str, Any], keys: AwsCredentials | None
    ) -> answer.Answer:
        """Send one unsigned request, and return its result, like `Requests.send`.

        Raises:
            Refused: STS returned an error.
            Unusable: The answer is not from STS.
            HTTPClientError, ConnectionError: STS was not reached; botocore's errors.
        """
        if keys is not None:
            raise ValueError("requests are not signed here")
        headers = {
            "Host": self._place,
            "User-Agent": _AGENT,
            "Content-Type": query.CONTENT_TYPE,
        }
        body = query.encoded(operation, parameters)
        with contextlib.ExitStack() as opened:
            sock = self._connected(opened)
            try:
                http1.send(sock, "POST", "/", headers, body)
                raw = BoundedReader(sock.makefile("rb", buffering=0), sock, _TooLong)
                with io.BufferedReader(raw) as file:
                    found = http1.read(file, MOST_BYTES)
            except _TooLong:
                raise answer.Unusable("too long", 0) from None
            except (OSError, http1.InvalidAnswer) as error:
                raise self._failure(_kind_of(error), error) from None
        fields = {name.title(): text for name, text in found.headers.items()}
        return answer.read(operation, found.status, fields, found.body)

    def _connected(self, opened: contextlib.ExitStack) -> socket.socket:
        """Connect to an address of the host, each within 5 s. *opened* closes the connection."""
        is_encrypted = self._scheme == "https"
        host, _, number = self._place.partition(":")
        port = int(number or (443 if is_encrypted else 80))
        failure: OSError | None = None
        try:
            # As bytes: for a string, Python imports its encoding of international names.
            found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
        except OSError as error:
            found, failure = [], error
        for family, kind, protocol, _, address in found:
            try:
                made = opened.enter_context(socket.socket(family, kind, protocol))
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.settimeout(_CONNECT_S)
                made.connect(address)
            except OSError as error:  # noqa: PERF203 - a name has few addresses
                failure = error
                opened.close()
            else:
                if is_encrypted:
                    made = opened.enter_context(self._encrypted(made, host))
                made.settimeout(_READ_S)
                return made
        name = "ConnectTimeoutError" if isinstance(failure, TimeoutError) else ""
        raise self._failure(name or "EndpointConnectionError", failure) from None

    def _encrypted(self, sock: socket.socket, host: str) -> socket.socket:
        from gcp_aws_bridge._sts import direct_tls  # not for an emulator on this machine

        try:
            context = direct_tls.context(self._trusted)
        except OSError as error:  # no certificates
            raise self._failure("SSLError", error) from None
        try:
            return context.wrap_socket(sock, server_hostname=host)
        except OSError as error:
            raise self._failure(_kind_of(error), error) from None

    def _failure(self, name: str, error: Exception | None) -> Exception:
        """Return botocore's error for *error*, so that all transports raise the same ones."""
        from botocore import exceptions  # in this process, it was not needed until now

        made: Exception = getattr(exceptions, name)(endpoint_url=f"{self.url}/", error=error)
        return made


def _kind_of(error: Exception) -> str:
    """Return the name of botocore's error for an error of an open connection."""
    if isinstance(error, TimeoutError):
        return "ReadTimeoutError"
    ssl = sys.modules.get("ssl")
    return "SSLError" if ssl and isinstance(error, ssl.SSLError) else "ConnectionClosedError"
