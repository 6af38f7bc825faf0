"""Commands to the process of the clouds: lines of JSON in both directions, on loopback."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any


class Control:
    """Calls the commands of `clouds.py` by name: `control("sts_latency", seconds=0.4)`."""

    def __init__(self, port: str | int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self._lock = threading.Lock()

    def __call__(self, command: str, **arguments: Any) -> Any:
        with self._lock:
            self._socket.sendall(json.dumps([command, arguments]).encode() + b"\n")
            answer = self._answers.readline()
        if not answer:
            raise ConnectionError(f"the clouds' process failed at {command}")
        return json.loads(answer)

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
