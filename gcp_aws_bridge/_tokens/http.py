"""One plain-HTTP request, for metadata servers only: no proxy, no redirect, time and size bounded.

`http.client` rather than a client library, because those add what must not happen here: a token
request that follows `http_proxy` or a redirect hands the pod's identity to somebody else.
"""

import contextlib
import http.client
import re
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gcp_aws_bridge._cache.values import SecretValue

# A token has about 1 kB; anything much larger is not an answer to our question.
_MAX_BODY = 64 * 1024
# Reads after the deadline, of what has arrived already: while this process was frozen, say.
_LATE_READS = 8
_LATE_S = 0.001
# Statuses after which the same request may succeed: time-outs, quotas, servers that are not ready.
TRANSIENT_STATUS = frozenset({408, 429, *range(500, 600)})


class Unreachable(Exception):
    """No whole HTTP answer: refused, reset, timed out, cut short. The text says which."""


class InvalidHost(Exception):
    """What was given as host is neither `host` nor `host:port`; IPv6 addresses have brackets."""


class Answer(SecretValue):
    """An HTTP answer; header names in lower case."""

    __slots__ = ("body", "headers", "status")

    status: int
    headers: Mapping[str, str]
    body: str

    def __init__(self, status: int, headers: Mapping[str, str], body: str) -> None:
        self._set(status=status, headers=headers, body=body)

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"  # the body may be a token

    @property
    def date(self) -> datetime | None:
        """The server's clock, aware UTC, where it told."""
        return http_date(self.headers.get("date"))


def http_date(text: str | None) -> datetime | None:
    """A `Date` header, aware UTC; None where there is none or it cannot be read."""
    try:
        value = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return value if value.tzinfo else None


def get(
    host: str,
    path: str,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    monotonic: Callable[[], float],
    method: str = "GET",
) -> Answer:
    """Ask for `http://{host}{path}` within *timeout_s* seconds in all, connecting to last byte.

    Raises:
        Unreachable: No whole answer came.
        InvalidHost: Nothing was asked.
    """
    _check_host(host)
    try:
        connection = _Connection(host, monotonic() + timeout_s, monotonic)
        with contextlib.closing(connection):
            connection.request(method, path, headers=dict(headers))
            with connection.getresponse() as response:  # it, too, holds the socket
                body = response.read(_MAX_BODY + 1)
                # http.client answers a short body without complaint when asked for an amount.
                if response.length and len(body) <= _MAX_BODY:
                    raise Unreachable("the answer was cut short")
    except http.client.InvalidURL:
        raise InvalidHost from None
    except TimeoutError:
        raise Unreachable(f"no answer within {timeout_s:.1f} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(_reason(error)) from None
    if len(body) > _MAX_BODY:
        raise Unreachable(f"the answer is larger than {_MAX_BODY} bytes")
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        body=body.decode("utf-8", "replace"),
    )


def _check_host(host: str) -> None:
    """Refuse what http.client would take for another host: of `::1` it makes `:`, port 1."""
    found = re.fullmatch(r"(?:\[(.+)\]|[\w.-]+)(?::(\d{1,5}))?", host, re.ASCII)
    if found is None or (found[2] and not 0 < int(found[2]) < 65_536):
        raise InvalidHost
    if found[1]:
        import ipaddress  # few hosts are addresses of IPv6

        try:
            ipaddress.IPv6Address(found[1])
        except ValueError:
            raise InvalidHost from None


class _Connection(http.client.HTTPConnection):
    """Gives every wait on the socket what is left of one deadline: no slow drip can pass it."""

    def __init__(self, host: str, stop: float, monotonic: Callable[[], float]) -> None:
        super().__init__(host)
        self._left_s: Callable[[], float] = lambda: stop - monotonic()

    def connect(self) -> None:
        # As socket.create_connection, which would give each address of a name the whole time.
        failure: OSError = TimeoutError()
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        for tried, (family, kind, protocol, _, address) in enumerate(found):
            try:
                made = _BoundedSocket(family, kind, protocol)  # of a family that may not be had
                self.sock = made
                made.left_s = self._left_s
                # A share of what is left: one address that answers nothing is not the last.
                made.settimeout(max(self._left_s(), 1e-9) / (len(found) - tried))
                made.connect(address)
                return
            except OSError as error:  # noqa: PERF203 - a name has few addresses
                if self.sock is not None:
                    self.sock.close()
                failure = error
        raise failure


class _BoundedSocket(socket.socket):
    left_s: Callable[[], float]
    late = 0  # reads after the deadline

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kwargs)

    def _bound(self) -> None:
        left_s = self.left_s()
        self.late += left_s <= 0
        if self.late > _LATE_READS:
            raise TimeoutError
        self.settimeout(max(left_s, _LATE_S))


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionResetError, http.client.RemoteDisconnected, BrokenPipeError)):
        return "connection closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut short"
    if isinstance(error, http.client.HTTPException):
        return "the answer is not HTTP"
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
