"""A plain-HTTP request for metadata servers: no proxy, no redirects, limited time and size.

Uses a socket instead of a client library: a token request that follows `http_proxy` or a redirect
would send the pod's identity to another server.
"""

import contextlib
import re
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge._tokens import http1

# A token has about 1 kB; a much larger answer is from another server.
_MAX_BODY = 64 * 1024
# Reads after the deadline, for data that arrived while this process was frozen.
_LATE_READS = 8
_LATE_S = 0.001
# RFC 9110, section 5.6.7: the format of dates that all servers send.
_DATE = r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# Statuses after which the same request may succeed: time-outs, quotas, servers that are not ready.
TRANSIENT_STATUS = frozenset({408, 429, *range(500, 600)})


class Unreachable(Exception):
    """Raised if there is no complete HTTP answer. The message has the reason."""


class InvalidHost(Exception):
    """Raised if the host is not `host` or `host:port`; IPv6 addresses need brackets."""


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
        """`Date` header, aware UTC, or None."""
        return http_date(self.headers.get("date"))


def http_date(text: str | None) -> datetime | None:
    """Parse a `Date` header, aware UTC; return None if it is missing or malformed."""
    found = re.fullmatch(_DATE, text or "", re.ASCII)
    try:
        if found is not None:
            day, month, year, *time = found.groups()
            numbers = map(int, (year, _MONTHS.index(month) + 1, day, *time))
            return datetime(*numbers, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]
        from email.utils import parsedate_to_datetime  # slow import, for other formats

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
    """Request `http://{host}{path}` within *timeout_s* seconds, from connecting to the last byte.

    Raises:
        Unreachable: There was no complete answer.
        InvalidHost: The host is malformed; nothing was sent.
    """
    address = _parsed(host)
    try:
        with contextlib.closing(_connected(address, monotonic() + timeout_s, monotonic)) as sock:
            http1.send(sock, method, path, {"Host": host, **headers})
            with sock.makefile("rb") as file:
                found = http1.read(file, _MAX_BODY)
        if not found.is_whole:
            raise http1.CutShort
    except TimeoutError:
        raise Unreachable(f"no answer within {timeout_s:.1f} s") from None
    except (OSError, http1.InvalidAnswer, ValueError) as error:
        raise Unreachable(_reason(error)) from None
    if len(found.body) > _MAX_BODY:
        raise Unreachable(f"the answer is larger than {_MAX_BODY} bytes")
    body = found.body.decode("utf-8", "replace")
    return Answer(status=found.status, headers=found.headers, body=body)


def _parsed(host: str) -> tuple[bytes, int]:
    """Return the name and the port of *host*."""
    found = re.fullmatch(r"(?:\[(.+)\]|([\w.-]+))(?::(\d{1,5}))?", host, re.ASCII)
    if found is None or (found[3] and not 0 < int(found[3]) < 65_536):
        raise InvalidHost
    if found[1]:
        import ipaddress  # rarely needed

        try:
            ipaddress.IPv6Address(found[1])
        except ValueError:
            raise InvalidHost from None
    # As bytes: for a string, Python imports its encoding of international names.
    return (found[1] or found[2]).encode("ascii"), int(found[3] or 80)


def _connected(
    place: tuple[bytes, int], stop: float, monotonic: Callable[[], float]
) -> "_BoundedSocket":
    """Connect like `socket.create_connection`, but not in the whole time for each address."""
    failure: OSError = TimeoutError()
    found = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        made: _BoundedSocket | None = None
        try:
            made = _BoundedSocket(family, kind, protocol)  # fails for an unsupported family
            made.left_s = lambda: stop - monotonic()
            # Use part of the remaining time, so that a silent address leaves time for the next.
            made.settimeout(max(made.left_s(), 1e-9) / (len(found) - tried))
            made.connect(address)
        except OSError as error:
            if made is not None:
                made.close()
            failure = error
        else:
            return made
    raise failure


class _BoundedSocket(socket.socket):
    """Applies the remaining time to each read: a slow answer cannot exceed it."""

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
    if isinstance(error, (ConnectionResetError, http1.NoAnswer, BrokenPipeError)):
        return "connection closed without an answer"
    if isinstance(error, http1.CutShort):
        return "the answer was cut short"
    if isinstance(error, http1.InvalidAnswer):
        return "the answer is not HTTP"
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
