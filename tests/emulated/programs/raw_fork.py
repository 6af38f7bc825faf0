"""Forks as uWSGI does by default: with C's fork(2), so that Python runs no hook.

The child reports what it got. By then, threads of the parent wait in system calls: CPython does
not survive such a fork while another thread waits for the global interpreter lock.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import gcp_aws_bridge as bridge
from gcp_aws_bridge._sts import shared

ROLE = "arn:aws:iam::123456789012:role/etl"
PARENT = os.getpid()
fork = ctypes.PyDLL(None).fork
never, _ = os.pipe()


def in_child(work: Callable[[], Any]) -> Any:
    reading, writing = os.pipe()
    if fork() == 0:
        begun = time.monotonic()
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001 - reported to the parent
            said = repr(error)
        os.write(writing, json.dumps([said, time.monotonic() - begun]).encode())
        os._exit(0)
    os.close(writing)
    return json.loads(os.read(reading, 9999))


def connections(work: Callable[[], Any]) -> Callable[[], Any]:
    """Return the result of *work*, and how many connections it made."""

    def counted() -> Any:
        made: list[Any] = []
        connect = socket.socket.connect
        socket.socket.connect = lambda *given: (made.append(given), connect(*given))[1]
        return [work(), len(made)]

    return counted


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)
    time.sleep(0.05)  # until it is in its system call


def a_refresh_under_way() -> Any:
    """The application makes a client on import; the main process forks during its exchange."""
    asked = threading.Event()
    source = bridge.MetadataServer()

    def token() -> str:
        if os.getpid() == PARENT:
            asked.set()
            os.read(never, 1)
        return source()

    credentials = bridge.credentials(ROLE, token_source=token)
    credentials.warm_up()
    wait_for(asked.is_set)
    return in_child(lambda: credentials.access_key)


def locks_that_are_held() -> Any:
    bridge.credentials(ROLE).get_frozen_credentials()
    held = threading.Event()

    def hold() -> None:
        with shared._clients_lock.get():
            held.set()
            os.read(never, 1)

    threading.Thread(target=hold, daemon=True).start()
    wait_for(held.is_set)
    return in_child(lambda: bridge.credentials(ROLE, role_session_name="child").access_key)


def a_connection() -> Any:
    credentials = bridge.credentials(ROLE)
    credentials.get_frozen_credentials()
    other = bridge.credentials(ROLE, role_session_name="child")
    other._request.cache()
    return in_child(connections(lambda: other.access_key))


def a_refresh_in_a_grandchild() -> Any:
    credentials = bridge.credentials(ROLE)
    mine = credentials.access_key

    def child() -> Any:
        credentials.reject(credentials.access_key)

        def grandchild() -> Any:
            return [credentials.access_key != mine, threading.active_count()]

        return in_child(grandchild)

    return in_child(child)


print(json.dumps(globals()[sys.argv[1]]()), flush=True)
os._exit(0)
