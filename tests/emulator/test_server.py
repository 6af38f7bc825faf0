"""The wire: keep-alive, outages, many clients, bad requests, forks."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import threading
import time
import warnings

import pytest

from gcp_aws_bridge.emulator import Emulator, Fault, loopback

FLAVOR = {"Metadata-Flavor": "Google"}


def connect(service):
    return http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)


def test_a_connection_is_kept_alive(emulator):
    connection = connect(emulator.metadata)
    ports = set()
    for _ in range(5):
        connection.request("GET", "/computeMetadata/v1/project/project-id", headers=FLAVOR)
        assert connection.getresponse().read() == b"demo-project"
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1
    assert len(emulator.metadata.requests) == 5


def test_small_answers_are_not_held_back(emulator):
    with socket.create_connection(("127.0.0.1", emulator.issuer.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(1)
        [served] = emulator.issuer._listener._connections
        assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_head_has_the_headers_and_no_body(emulator, raw):
    path = "/computeMetadata/v1/project/project-id"
    answer = raw(emulator.metadata, path, method="HEAD", headers=FLAVOR)
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "12")


def test_down_refuses_then_serves_the_same_port(emulator, raw):
    port = emulator.sts.port
    kept = connect(emulator.sts)
    kept.request("GET", "/")
    kept.getresponse().read()
    with emulator.sts.down():
        with pytest.raises(ConnectionRefusedError):
            raw(emulator.sts)
        assert kept.sock.recv(1) == b""  # cut
        assert raw(emulator.metadata, "/", headers=FLAVOR).status == 200
        with socket.socket() as squatter, pytest.raises(OSError, match="in use"):
            squatter.bind(("127.0.0.1", port))
    kept.close()
    assert emulator.sts.port == port
    assert raw(emulator.sts).status == 400


def test_down_closes_a_pending_request(emulator, raw):
    emulator.sts.latency_s = 30
    failed = []

    def ask():
        try:
            raw(emulator.sts)
        except (OSError, http.client.HTTPException) as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not emulator.sts.requests:
        time.sleep(0.001)
    with emulator.sts.down():
        thread.join(5)
    assert len(failed) == 1


def test_down_comes_up_again_after_an_error(emulator, raw):
    with pytest.raises(KeyError), emulator.sts.down():
        raise KeyError("test")
    assert raw(emulator.sts).status == 400


def test_reset_closes_connections_that_hang(emulator, raw):
    emulator.sts.inject(Fault.hang(30))
    threads = threading.active_count()
    client = connect(emulator.sts)
    client.request("GET", "/")
    while not emulator.sts.requests:
        time.sleep(0.001)
    emulator.reset()
    with pytest.raises(http.client.RemoteDisconnected):
        client.getresponse()
    client.close()
    assert raw(emulator.sts).status == 400
    assert threading.active_count() <= threads + 2


def test_two_hundred_threads_at_once(emulator, exchange, credentials):
    token = emulator.mint()
    emulator.sts.requests.clear()
    gate = threading.Barrier(200)
    found = []

    def one():
        gate.wait()
        found.append(exchange(token))

    threads = [threading.Thread(target=one) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in found] == [200] * 200
    keys = {a.text.partition("<AccessKeyId>")[2].partition("<")[0] for a in found}
    assert len(keys) == len(emulator.sts.requests) == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
            b"400",
        ),
        (
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"411",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
    ],
)
def test_requests_that_are_not_http_are_refused(emulator, capsys, head, status):
    with socket.create_connection(("127.0.0.1", emulator.sts.port), timeout=5) as client:
        client.sendall(head)
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert status in answer.partition(b"\r\n")[0]
    assert capsys.readouterr() == ("", "")
    assert len(emulator.sts.requests) == 0


@pytest.mark.parametrize("target", ["//", "//[", "/?%zz=%ff", "*", "/\x7f", "/?=&=&&"])
def test_odd_targets_do_not_break_it(emulator, target):
    with socket.create_connection(("127.0.0.1", emulator.metadata.port), timeout=5) as client:
        client.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nMetadata-Flavor: Google\r\n\r\n".encode()
        )
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 ")


def test_a_client_that_goes_away_is_no_fault_of_ours(emulator, capsys):
    emulator.sts.inject(Fault.slow(0.01), Fault.oversized(8 << 20))
    for _ in range(2):
        client = connect(emulator.sts)
        client.request("GET", "/")
        client.close()
    half = socket.create_connection(("127.0.0.1", emulator.sts.port))
    half.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    half.close()
    time.sleep(0.03)
    emulator.reset()  # raises if a request failed inside
    assert capsys.readouterr() == ("", "")


def test_a_failure_inside_the_emulator_is_not_hidden(emulator, metadata):
    def broken(request):
        raise ZeroDivisionError

    emulator.metadata.inject(Fault.empty(), when=broken)
    with pytest.raises(http.client.RemoteDisconnected):
        metadata("")

    def reset_often():
        for _ in range(100):  # the failure is noted shortly after the connection was closed
            emulator.reset()
            time.sleep(0.001)

    with pytest.raises(RuntimeError, match="emulator failed") as caught:
        reset_often()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_start_and_stop_are_fast_and_can_be_repeated(raw):
    cloud = Emulator()
    cloud.stop()
    cloud.start()
    ports = cloud.metadata.port, cloud.sts.port
    began = time.monotonic()
    for _ in range(10):
        cloud.stop()
        with pytest.raises(ConnectionRefusedError):
            raw(cloud.sts)
        cloud.start()
        cloud.start()
    assert time.monotonic() - began < 0.5
    assert (cloud.metadata.port, cloud.sts.port) == ports
    cloud.stop()
    cloud.stop()


def test_stop_leaves_no_thread_behind(raw):
    before = set(threading.enumerate())
    with Emulator() as cloud:
        idle = connect(cloud.sts)
        idle.request("GET", "/")
        idle.getresponse().read()
        assert set(threading.enumerate()) - before
    for thread in set(threading.enumerate()) - before:
        thread.join(1)
    idle.close()
    assert set(threading.enumerate()) <= before


def test_a_taken_port_is_an_error_and_leaves_nothing_running(emulator):
    cloud = Emulator(sts_port=emulator.sts.port)
    with pytest.raises(OSError, match=r"[Aa]ddress|denied|permitted"):
        cloud.start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", cloud.metadata.port))


def test_ports_can_be_chosen(raw):
    with Emulator() as first:
        ports = first.metadata.port, first.sts.port
    with Emulator(metadata_port=ports[0], sts_port=ports[1]) as second:
        assert (second.metadata.port, second.sts.port) == ports
        assert raw(second.metadata, "/", headers=FLAVOR).status == 200


def test_clouds_listen_on_ipv6_loopback_if_asked(raw, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with Emulator(host="::1") as cloud:
        assert cloud.environ["GCE_METADATA_HOST"] == f"[::1]:{cloud.metadata.port}"
        assert cloud.environ["AWS_ENDPOINT_URL_STS"] == f"http://[::1]:{cloud.sts.port}"
        assert cloud.environ["NO_PROXY"] == "127.0.0.1,localhost,::1,[::1]"
        for service in (cloud.metadata, cloud.sts, cloud.imds, cloud.google_sts):
            assert service.url.startswith("http://[::1]:")
            with socket.create_connection(("::1", service.port)):
                pass
            with pytest.raises(ConnectionRefusedError), service.down():
                socket.create_connection(("::1", service.port))


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EADDRINUSE])
@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_default_address_is_ipv6_loopback_on_a_machine_without_ipv4(monkeypatch, host, number):
    class NoIpv4(socket.socket):
        def bind(self, address):
            if address[0] == "127.0.0.1":
                raise OSError(number, os.strerror(number))

    monkeypatch.setattr(loopback.socket, "socket", NoIpv4)
    if host or number == errno.EADDRINUSE:
        with pytest.raises(OSError, match=os.strerror(number)):
            loopback.reserve(0, host)
    else:
        with loopback.reserve(0, host) as reserved:
            assert reserved.family == socket.AF_INET6


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "localhost", ""])
def test_clouds_listen_on_no_other_address(host):
    with pytest.raises(ValueError, match=r"host is 127\.0\.0\.1 or ::1"):
        Emulator(host=host)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_does_not_keep_the_port_open(emulator, raw):
    kept = connect(emulator.sts)
    kept.request("GET", "/")
    kept.getresponse().read()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads, on purpose
        child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)  # until the parent is done
        listener = emulator.metadata._listener
        let_go = listener.socket.fileno() == -1
        os._exit(0 if let_go else 1)
    try:
        with emulator.sts.down(), pytest.raises(ConnectionRefusedError):
            raw(emulator.sts)
        assert kept.sock.recv(1) == b""
        assert raw(emulator.sts).status == 400
    finally:
        kept.close()
        os.close(reader)
        os.close(writer)
        assert os.waitpid(child, 0)[1] == 0
