"""What a forked child inherits: valid credentials, and none of the parent's locks and sockets."""

from __future__ import annotations

import json
import os
import socket
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._sts import shared
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
    # A fork of a process with threads is what is tested; Python 3.12 warns about it.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]


def in_child(work: Callable[[], Any]) -> Any:
    """Run *work* in a forked child and return what it returned."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            answer = {"answer": work()}
        except BaseException:  # noqa: BLE001 - reported to the parent
            answer = {"failed": traceback.format_exc()}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read() or '{"failed": "the child died"}')
    os.waitpid(pid, 0)
    assert "failed" not in answer, answer["failed"]
    return answer["answer"]


def test_child_uses_valid_credentials_of_the_parent(pod: Emulator) -> None:
    credentials = bridge.credentials(ROLE)
    mine = credentials.access_key
    assert mine == in_child(lambda: credentials.access_key)
    assert mine == in_child(lambda: bridge.credentials(ROLE).access_key)
    assert 1 == len(pod.sts.requests)


def test_child_makes_an_exchange_if_the_parent_made_none(pod: Emulator) -> None:
    credentials = bridge.credentials(
        ROLE
    )  # gunicorn --preload: made before the fork, used after it
    keys = {in_child(lambda: credentials.access_key) for _ in range(3)}
    assert (3, 3) == (len(keys), len(pod.sts.requests))
    assert credentials.access_key not in keys


def test_child_opens_its_own_connection(pod: Emulator) -> None:
    mine = bridge.credentials(ROLE).access_key  # opens a connection to STS, kept alive

    def ports_that_a_child_connects_to() -> list[str]:
        connected: list[str] = []
        real = socket.socket.connect

        def connect(self: socket.socket, address: Any) -> None:
            connected.append(str(address[1]))
            real(self, address)

        socket.socket.connect = connect  # type: ignore[assignment,method-assign]
        assert bridge.credentials(ROLE, role_session_name="child").access_key != mine
        return connected

    assert str(pod.sts.port) in in_child(ports_that_a_child_connects_to)
    assert bridge.credentials(ROLE, role_session_name="parent").access_key != mine


def test_fork_during_an_exchange_does_not_block_the_child(pod: Emulator) -> None:
    """The thread of the pending refresh does not exist in the child, which must not wait for it."""
    pod.sts.latency_s = 0.3
    credentials = bridge.credentials(ROLE)
    waiting = threading.Thread(target=credentials.get_frozen_credentials)
    waiting.start()
    while not pod.sts.requests:
        threading.Event().wait(0.002)
    child = in_child(lambda: credentials.access_key)
    waiting.join(10)
    assert child.startswith("ASIA")
    assert child != credentials.access_key


def test_fork_while_locks_are_held_does_not_block_the_child(pod: Emulator) -> None:
    bridge.credentials(ROLE)

    def exchange() -> str:
        return bridge.credentials(ROLE, role_session_name="child").access_key

    with shared._clients_lock.get():
        assert in_child(exchange).startswith("ASIA")


def test_child_refreshes_inherited_credentials(pod: Emulator) -> None:
    ahead = [timedelta()]
    pod.clock = lambda: utc_now() + ahead[0]
    registry.world = World(clock=lambda: utc_now() + ahead[0])
    credentials = bridge.credentials(ROLE)
    mine = credentials.access_key
    ahead[0] = timedelta(hours=2)
    child = in_child(lambda: credentials.access_key)
    assert child != mine
    assert child != credentials.access_key
