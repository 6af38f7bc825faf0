"""A plain-HTTP request for metadata servers: no proxy, no redirects, limited time and size.

Uses sockets instead of a client library: a token request that follows `http_proxy` or a redirect
would send the pod's identity to another server. A server with two addresses gets one request, at
the address that accepts a connection first.
"""

import contextlib
import errno
import os
import re
import selectors
import socket
from collections.abc import Callable, Iterator, Mapping
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
# RFC 8305 (Happy Eyeballs), section 8: the recommended Connection Attempt Delay.
_NEXT_AFTER_S = 0.25
# This machine cannot send packets to an address.
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
# Statuses after which the same request may succeed: time-outs, quotas, servers that are not ready.
TRANSIENT_STATUS = frozenset({408, 429, *range(500, 600)})


class Unreachable(Exception):
    """Raised if there is no complete HTTP answer. The message has the reason for each host.

    Attributes:
        reason: The reason for one host: the one that accepted a connection, else one with a route.
        has_route: Whether this machine can send packets to any of the hosts.
    """

    def __init__(self, message: str, reason: str, *, has_route: bool) -> None:
        super().__init__(message)
        self.reason, self.has_route = reason, has_route


class InvalidHost(Exception):
    """Raised if the host is not `host` or `host:port`; IPv6 addresses need brackets."""


class Answer(SecretValue):
    """An HTTP answer of *host*; header names in lower case."""

    __slots__ = ("body", "headers", "host", "status")

    status: int
    headers: Mapping[str, str]
    body: str
    host: str

    def __init__(self, status: int, headers: Mapping[str, str], body: str, host: str = "") -> None:
        self._set(status=status, headers=headers, body=body, host=host)

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
            date = map(int, (year, _MONTHS.index(month) + 1, day, *time))
            return datetime(*date, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]
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
    other_host: str = "",
) -> Answer:
    """Request `http://{host}{path}` within *timeout_s* seconds, from connecting to the last byte.

    Args:
        other_host: A second address of the same server, for when connecting to *host* fails or
            takes longer than 250 ms. Only the address that accepts first gets the request.

    Raises:
        Unreachable: There was no complete answer.
        InvalidHost: The host is malformed; nothing was sent.
    """
    hosts = {each: _parsed(each) for each in (host, other_host) if each}
    connection = _Connection(hosts, timeout_s, monotonic)
    try:
        with connection.opened:
            sock = connection.connect()
            http1.send(sock, method, path, {"Host": connection.connected_to, **headers})
            with sock.makefile("rb") as file:
                found = http1.read(file, _MAX_BODY)
        if not found.is_whole:
            raise http1.CutShort
    except (OSError, http1.InvalidAnswer, ValueError) as error:
        raise connection.unreachable(_reason(error, timeout_s)) from None
    if len(found.body) > _MAX_BODY:
        raise connection.unreachable(f"the answer is larger than {_MAX_BODY} bytes")
    return Answer(
        status=found.status,
        headers=found.headers,
        body=found.body.decode("utf-8", "replace"),
        host=connection.connected_to,
    )


def _parsed(host: str) -> tuple[str, int]:
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
    return found[1] or found[2], int(found[3] or 80)


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


class _Connection:
    """A connection to the first address that accepts, with one time limit for everything.

    The attempts overlap as in RFC 8305: the next one starts when an attempt fails, or after 250 ms,
    while those before it continue. The result is not kept for the next request: that would save
    250 ms at most, once for each token, and may be wrong after a fork or in another network.

    Attributes:
        connected_to: The host that accepted, as configured; empty before.
        opened: Closes the connection at its end.
    """

    def __init__(
        self,
        hosts: Mapping[str, tuple[str, int]],
        timeout_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.connected_to = ""
        self.opened = contextlib.ExitStack()
        stop = monotonic() + timeout_s
        self._hosts, self._timeout_s = hosts, timeout_s
        self._left_s: Callable[[], float] = lambda: stop - monotonic()
        self._pending: dict[_BoundedSocket, str] = {}
        self._reasons: dict[str, str] = {}  # why there is no connection, by host
        self._without_route: set[str] = set()

    def connect(self) -> "_BoundedSocket":
        """Connect to one of the addresses, and return the socket.

        Raises:
            Unreachable: None of them accepted in time.
        """
        try:
            for host, address in self._addresses():
                self._start(host, *address)
                if sock := self._accepted(min(_NEXT_AFTER_S, self._left_s() / 2)):
                    return sock
            while count := len(self._pending):
                if sock := self._accepted(self._left_s()):
                    return sock
                if count == len(self._pending):
                    break  # no answer until the deadline
        finally:
            late = "no answer so far"
            late = late if self.connected_to else _reason(TimeoutError(), self._timeout_s)
            for pending, host in self._pending.items():
                pending.close()
                self._reasons[host] = late
            self._pending.clear()
        raise self.unreachable()

    def unreachable(self, reason: str = "") -> Unreachable:
        """Return the error. *reason* is what failed after connecting; empty if no host accepted."""
        first, *_ = self._hosts
        reasons = self._reasons
        if reason:
            reasons = {**reasons, self.connected_to or first: reason}
        tried = [host for host in self._hosts if host in reasons]
        routed = [host for host in tried if host not in self._without_route]
        text = (reasons[host] if host == first else f"at {host}: {reasons[host]}" for host in tried)
        decisive = self.connected_to or [*routed, first][0]
        return Unreachable("; ".join(text), reasons[decisive], has_route=bool(routed))

    def _addresses(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for host, (name, port) in self._hosts.items():
            try:
                # As bytes: for a string, Python imports its encoding of international names.
                place = name.encode("ascii"), port
                for found in socket.getaddrinfo(*place, type=socket.SOCK_STREAM):
                    yield host, found
            except (OSError, ValueError) as error:  # noqa: PERF203 - at most two iterations
                self._reasons[host] = _reason(error, self._timeout_s)

    def _start(
        self, host: str, family: int, kind: int, protocol: int, _: str, address: Any
    ) -> None:
        made: _BoundedSocket | None = None
        try:
            made = _BoundedSocket(family, kind, protocol)  # fails for an unsupported family
            made.left_s = self._left_s
            made.setblocking(False)
            self._pending[made] = host
            made.connect(address)
        except BlockingIOError:
            pass  # the attempt continues
        except OSError as error:
            self._failed(host, error, made)

    def _accepted(self, within_s: float) -> "_BoundedSocket | None":
        """Wait until an attempt succeeds or fails. Return the connection, if there is one."""
        if not self._pending:
            return None
        with selectors.DefaultSelector() as selector:
            for pending in self._pending:
                selector.register(pending, selectors.EVENT_WRITE, pending)
            ready = selector.select(max(within_s, 0))
        accepted: list[_BoundedSocket] = [key.data for key, _ in ready]
        for made in accepted:
            if code := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._failed(self._pending[made], OSError(code, os.strerror(code)), made)
                continue
            made.settimeout(max(self._left_s(), _LATE_S))
            self.connected_to = self._pending.pop(made)
            self.opened.enter_context(made)
            return made
        return None

    def _failed(self, host: str, error: OSError, made: _BoundedSocket | None) -> None:
        if made is not None:
            self._pending.pop(made, None)
            made.close()
        self._reasons[host] = _reason(error, self._timeout_s)
        if error.errno in _NO_ROUTE:
            self._without_route.add(host)
        else:
            self._without_route.discard(host)


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:.1f} s"
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
