"""Which of a server's addresses gets the request: RFC 8305, with time that the test moves."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from fakes import ManualWorld
from unit.servers import Server, answer, failure, id_token

from gcp_aws_bridge._tokens import http
from gcp_aws_bridge._tokens.bound import bound_source
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge.exceptions import TokenError, TokenUnavailable

TOKEN = id_token()
IPV4, IPV6 = "169.254.169.254", "fd20:ce::254"
SILENT = float("inf")
NO_ROUTE = [
    *(errno.ENETUNREACH, errno.EHOSTUNREACH),
    *(errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT),  # no address, or no support, of this family
]


REAL_CONNECT, REAL_GETADDRINFO = socket.socket.connect, socket.getaddrinfo
Serve = Callable[..., Server]


class Network:
    """Addresses by host: an error, a server, or a server that accepts after some seconds.

    Attributes:
        looked_up: The hosts whose addresses were needed, in order.
        sockets: All sockets that were made.
    """

    def __init__(self, manual: ManualWorld) -> None:
        self.manual = manual
        self.addresses: dict[str, list[int | Server | tuple[float, Server]]] = {}
        self.looked_up: list[str] = []
        self.sockets: list[socket.socket] = []
        self._made: list[int | Server | tuple[float, Server]] = []
        self._ready_s: dict[socket.socket, float] = {}

    def getaddrinfo(self, name: str | bytes, *others: Any, **named: Any) -> list[Any]:
        host = os.fsdecode(name)
        if host == "127.0.0.1":  # of a test's server
            return REAL_GETADDRINFO(host, *others, **named)
        self.looked_up.append(host)
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = self.addresses[host]
        start = len(self._made)
        self._made += found
        # The port says which address it is.
        numbers = range(start, start + len(found))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", n)) for n in numbers]

    def connect(self, made: socket.socket, address: tuple[str, int]) -> None:
        self.sockets.append(made)
        place = self._made[address[1]]
        if isinstance(place, int):
            raise OSError(place, os.strerror(place))
        delay_s, server = place if isinstance(place, tuple) else (0.0, place)
        self._ready_s[made] = self.manual.world.monotonic() + delay_s
        host, _, port = server.host.partition(":")
        assert made.gettimeout() == 0
        REAL_CONNECT(made, (host, int(port)))

    def selector(self) -> selectors.BaseSelector:
        network = self

        class Waiting(selectors.SelectSelector):
            def select(self, timeout: float | None = None) -> list[Any]:
                assert timeout is not None
                now_s = network.manual.world.monotonic()
                keys = {key.fileobj: key for key in self.get_map().values()}
                first_s = min(network._ready_s[made] for made in keys)  # type: ignore[index]
                if first_s > now_s + timeout:
                    network.manual.advance(timeout)
                    return []
                network.manual.advance(max(0.0, first_s - now_s))
                return [
                    found
                    for found in super().select(5)
                    if network._ready_s[found[0].fileobj] <= first_s  # type: ignore[index]
                ]

        return Waiting()


@pytest.fixture
def manual() -> ManualWorld:
    return ManualWorld(jitter=1.0)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, manual: ManualWorld) -> Network:
    made = Network(manual)
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    monkeypatch.setattr(http.selectors, "DefaultSelector", made.selector)
    monkeypatch.setattr(
        http._BoundedSocket, "connect", lambda *args: made.connect(*args), raising=False
    )
    return made


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *replies, **more: stack.enter_context(Server(*replies, **more))


@pytest.fixture
def source(manual: ManualWorld) -> MetadataServer:
    """One that tries once."""
    return MetadataServer(deadline_s=0.8, world=manual.world._replace(sleep=give_up))


def give_up(_: float) -> None:
    raise AssertionError("a second attempt was not expected")


# -- the two addresses of the metadata server ---------------------------------------------------


@pytest.mark.parametrize("number", [*NO_ROUTE, errno.ECONNREFUSED])
def test_ipv6_is_used_at_once_where_ipv4_has_no_route(
    network: Network, serve: Serve, source: MetadataServer, manual: ManualWorld, number: int
) -> None:
    server = serve(answer(TOKEN))
    network.addresses = {IPV4: [number], IPV6: [server]}
    assert TOKEN == source()
    assert 0 == manual.world.monotonic()
    assert [f"[{IPV6}]"] == [request.headers["host"] for request in server.requests]


def test_ipv6_is_used_after_a_quarter_of_a_second_where_ipv4_is_silent(
    network: Network, serve: Serve, source: MetadataServer, manual: ManualWorld
) -> None:
    unheard, server = serve(answer(TOKEN)), serve(answer(TOKEN))
    network.addresses = {IPV4: [(SILENT, unheard)], IPV6: [server]}
    assert TOKEN == source()
    assert 0.25 == manual.world.monotonic()
    assert ([], 1) == (unheard.requests, len(server.requests))
    assert [-1, -1] == [made.fileno() for made in network.sockets]


def test_ipv4_that_accepts_costs_one_socket_and_no_look_at_ipv6(
    network: Network, serve: Serve, source: MetadataServer, manual: ManualWorld
) -> None:
    server = serve(answer(TOKEN))
    network.addresses = {IPV4: [(0.249, server)], IPV6: [serve(answer(TOKEN))]}
    assert TOKEN == source()
    assert 0.249 == manual.world.monotonic()
    assert ([IPV4], 1) == (network.looked_up, len(network.sockets))
    assert [IPV4] == [request.headers["host"] for request in server.requests]


@pytest.mark.parametrize("ipv6", [errno.ENETUNREACH, SILENT])
def test_slow_ipv4_is_used_if_ipv6_does_not_accept_before(
    network: Network, serve: Serve, source: MetadataServer, manual: ManualWorld, ipv6: float
) -> None:
    server, unheard = serve(answer(TOKEN)), serve(answer(TOKEN))
    network.addresses = {
        IPV4: [(0.6, server)],
        IPV6: [(ipv6, unheard) if ipv6 == SILENT else int(ipv6)],
    }
    assert TOKEN == source()
    assert 0.6 == manual.world.monotonic()
    assert (1, []) == (len(server.requests), unheard.requests)


def test_address_that_accepted_is_not_remembered(
    network: Network, serve: Serve, source: MetadataServer
) -> None:
    server = serve(answer(TOKEN))
    network.addresses = {IPV4: [errno.ENETUNREACH], IPV6: [server]}
    assert TOKEN == source()
    network.addresses = {IPV4: [server], IPV6: [errno.ENETUNREACH]}  # another network
    assert TOKEN == source()
    assert [f"[{IPV6}]", IPV4] == [request.headers["host"] for request in server.requests]


def test_bound_source_has_both_addresses(
    network: Network, serve: Serve, manual: ManualWorld
) -> None:
    network.addresses = {IPV4: [errno.ENETUNREACH], IPV6: [serve(answer(TOKEN))]}
    source = bound_source(MetadataServer(world=manual.world), "sts.amazonaws.com", manual.world, 1)
    assert TOKEN == source.call()


@pytest.mark.parametrize("host", ["metadata.example", "169.254.169.254:80", "[fd20:ce::254]"])
def test_configured_host_is_the_only_one(
    network: Network, serve: Serve, source: MetadataServer, monkeypatch: Any, host: str
) -> None:
    server = serve(answer(TOKEN))
    network.addresses = {IPV4: [server], IPV6: [server], "metadata.example": [server]}
    wanted = http._parsed(host)[0]
    network.addresses[wanted] = [errno.ENETUNREACH]
    monkeypatch.setenv("GCE_METADATA_HOST", host)
    error = unavailable(source)
    assert f"at {host} was asked once: network is unreachable." in error.message
    assert ([wanted], []) == (network.looked_up, server.requests)


# -- errors -------------------------------------------------------------------------------------


def unavailable(source: MetadataServer, error_id: str = "token/metadata-unreachable") -> Any:
    return failure(TokenUnavailable, error_id, lambda: once(source), secrets=TOKEN.split("."))


def once(source: MetadataServer) -> str:
    """Call *source* with a deadline that leaves no time for a second attempt."""
    return replace(source, deadline_s=0.09)()


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "seen"),
    [
        (errno.ENETUNREACH, errno.ENETUNREACH, "network is unreachable; at [{}]: network is unre"),
        (errno.ENETUNREACH, errno.ECONNREFUSED, "network is unreachable; at [{}]: connection ref"),
        (errno.ECONNREFUSED, errno.EHOSTUNREACH, "connection refused; at [{}]: no route to host"),
        (errno.ENETUNREACH, SILENT, "network is unreachable; at [{}]: no answer within 0.1 s"),
        (SILENT, errno.ENETUNREACH, "no answer within 0.1 s; at [{}]: network is unreachable"),
        (SILENT, SILENT, "no answer within 0.1 s; at [{}]: no answer within 0.1 s"),
        (errno.EAFNOSUPPORT, errno.ECONNREFUSED, "by protocol; at [{}]: connection refused"),
    ],
)
def test_error_has_both_addresses_and_what_happened_with_each(
    network: Network, serve: Serve, source: MetadataServer, ipv4: float, ipv6: float, seen: str
) -> None:
    unheard = serve(answer(TOKEN))
    for host, result in ((IPV4, ipv4), (IPV6, ipv6)):
        network.addresses[host] = [(SILENT, unheard) if result == SILENT else int(result)]
    error = unavailable(source)
    assert f"The metadata server at {IPV4} was asked once: " in error.message
    assert seen.format(IPV6) in error.message
    assert [] == unheard.requests
    assert {-1} == {made.fileno() for made in network.sockets}


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "reason"),
    [
        (errno.ENETUNREACH, errno.ECONNREFUSED, "connection refused"),
        (errno.EHOSTUNREACH, SILENT, "no answer within 0.1 s"),
        (errno.ECONNREFUSED, SILENT, "connection refused"),
        (errno.ECONNREFUSED, errno.ENETUNREACH, "connection refused"),
        (errno.ENETUNREACH, errno.ENETUNREACH, "network is unreachable"),
    ],
)
def test_reason_is_that_of_the_first_address_with_a_route(
    network: Network, serve: Serve, manual: ManualWorld, ipv4: int, ipv6: float, reason: str
) -> None:
    unheard = serve(answer(TOKEN))
    network.addresses = {IPV4: [ipv4], IPV6: [(ipv6, unheard) if ipv6 == SILENT else int(ipv6)]}
    with pytest.raises(http.Unreachable) as caught:
        request(manual, IPV4, other_host=f"[{IPV6}]")
    assert reason == caught.value.reason


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (b"", "connection closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "the answer was cut short"),
        (answer("x" * 70_000), "the answer is larger than 65536 bytes"),
    ],
)
def test_error_of_an_answer_names_the_address_that_gave_it(
    network: Network, serve: Serve, source: MetadataServer, reply: bytes, seen: str
) -> None:
    network.addresses = {IPV4: [errno.ENETUNREACH], IPV6: [serve(reply)]}
    assert f"network is unreachable; at [{IPV6}]: {seen}." in unavailable(source).message
    network.addresses = {IPV4: [serve(reply)], IPV6: [errno.ENETUNREACH]}
    assert f"{IPV4} was asked once: {seen}." in unavailable(source).message
    network.addresses = {IPV4: [(SILENT, serve(reply))], IPV6: [serve(reply)]}
    assert f"once: no answer so far; at [{IPV6}]: {seen}." in unavailable(source).message


def test_another_server_at_the_ipv6_address_is_named(
    network: Network, serve: Serve, source: MetadataServer
) -> None:
    network.addresses = {IPV4: [errno.ENETUNREACH], IPV6: [serve(answer(TOKEN, flavor=None))]}
    assert f"What answers at [{IPV6}] is not" in unavailable(source, "token/not-google").message


def test_server_that_is_not_ready_is_named_by_the_address_that_answered(
    network: Network, serve: Serve, source: MetadataServer
) -> None:
    network.addresses = {IPV4: [errno.ENETUNREACH], IPV6: [serve(answer("starting", 503))]}
    error = failure(TokenError, "token/metadata-not-ready", lambda: once(source))
    assert f"at [{IPV6}] was asked once: HTTP 503" in error.message


# -- names with several addresses ---------------------------------------------------------------


def request(manual: ManualWorld, host: str = "metadata.example", **more: Any) -> http.Answer:
    settings = {"timeout_s": 0.1, "monotonic": manual.world.monotonic, **more}
    return http.get(host, "/", {}, **settings)


def test_name_with_silent_addresses_has_one_deadline(
    network: Network, serve: Serve, manual: ManualWorld
) -> None:
    network.addresses = {"metadata.example": [(SILENT, serve(answer()))] * 3}
    with pytest.raises(http.Unreachable, match=r"^no answer within 2\.0 s$"):
        request(manual, timeout_s=2.0)
    assert pytest.approx(2.0) == manual.world.monotonic()
    assert [-1] * 3 == [made.fileno() for made in network.sockets]


def test_unsupported_or_silent_address_falls_back_to_the_next(
    network: Network, serve: Serve, manual: ManualWorld
) -> None:
    server = serve(answer(TOKEN))
    silent = (SILENT, serve(answer()))
    network.addresses = {"metadata.example": [errno.EAFNOSUPPORT, silent, server]}
    assert TOKEN == request(manual, timeout_s=2.0).body
    assert 0.25 == manual.world.monotonic()


def test_short_deadline_leaves_time_for_the_next_address(
    network: Network, serve: Serve, manual: ManualWorld
) -> None:
    network.addresses = {"metadata.example": [(SILENT, serve(answer())), serve(answer(TOKEN))]}
    assert TOKEN == request(manual, timeout_s=0.1).body
    assert 0.05 == manual.world.monotonic()


@pytest.mark.parametrize(
    ("addresses", "seen"),
    [
        ({}, "its name does not resolve"),
        ({"metadata.example": [errno.ENETUNREACH, errno.ECONNREFUSED]}, "connection refused"),
        ({"metadata.example": [errno.ECONNREFUSED, errno.ENETUNREACH]}, "network is unreachable"),
    ],
)
def test_name_without_an_address_that_accepts_has_one_reason(
    network: Network, manual: ManualWorld, addresses: Mapping[str, Any], seen: str
) -> None:
    network.addresses = {**addresses}
    with pytest.raises(http.Unreachable, match=f"^{seen}$") as caught:
        request(manual)
    assert seen == caught.value.reason


def test_refused_connection_does_not_wait_for_the_deadline(manual: ManualWorld) -> None:
    """The attempt is in progress when the system reports the error."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(http.Unreachable, match=r"^connection refused$"):
            request(manual, host, timeout_s=60)


def test_no_file_descriptor_left_is_an_error_of_the_request(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, manual: ManualWorld
) -> None:
    def none_left() -> selectors.BaseSelector:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    server = serve(answer(TOKEN))
    monkeypatch.setattr(http.selectors, "DefaultSelector", none_left)
    with pytest.raises(http.Unreachable, match=r"^too many open files$"):
        request(manual, server.host)
