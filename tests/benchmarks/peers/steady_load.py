"""A steady load of credential requests, by the clock: `steady_load.py PER_SECOND SECONDS`.

Open loop: each request has its instant, from which its latency counts, even if it is sent late.
Otherwise a stall would count once, and not for each request that was due meanwhile (Gil Tene, "How
NOT to Measure Latency"; wrk2 does the same).

The connections stay open and take turns. Each has a thread, which wakes up a tenth of a millisecond
late; asyncio's timers are late by up to one. That delay ("late_us") counts as latency too.
"""

import json
import os
import re
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

PER_SECOND, SECONDS = map(int, sys.argv[1:])
TOTAL = PER_SECOND * SECONDS
CONNECTIONS = 16  # the SDKs of a large pod; one would be enough for answers within 2 ms
URL = urlsplit(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
TOKEN = Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text(encoding="ascii")
REQUEST = (
    f"GET {URL.path} HTTP/1.1\r\nHost: {URL.netloc}\r\nAccept: application/json\r\n"
    f"Authorization: {TOKEN}\r\n\r\n"
).encode("ascii")


def connected() -> socket.socket:
    connection = socket.create_connection((URL.hostname, URL.port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the status line and the body of the answer."""
    connection.sendall(REQUEST)
    received, end, body, missing = b"", b"", b"", 1
    while not end or missing > 0:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("closed in the middle of an answer")
        received += part
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        missing = int(length[1]) - len(body) if length else 0
    return received.partition(b"\r\n")[0], body


def key_in(status: bytes, body: bytes) -> str:
    """Return the access key of a correct answer."""
    if status != b"HTTP/1.1 200 OK":
        raise ValueError(status.decode("latin-1"))
    answer = json.loads(body)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if not (answer["SecretAccessKey"] and answer["Token"] and answer["Expiration"] > now):
        raise ValueError("not valid credentials")
    return str(answer["AccessKeyId"])


def take_turns(number: int) -> None:
    connection = connected()
    ask(connection)
    ready.wait()
    for turn in range(number, TOTAL, CONNECTIONS):
        due, free = began + turn / PER_SECOND, time.perf_counter()
        time.sleep(max(0.0, due - free))
        sent = time.perf_counter()
        late_us[turn] = round((sent - max(due, free)) * 1e6)
        try:
            answer = ask(connection)
            latency_us[turn] = round((time.perf_counter() - due) * 1e6)
            keys.add(key_in(*answer))
        except (OSError, ValueError, KeyError) as error:
            latency_us[turn] = latency_us[turn] or round((time.perf_counter() - due) * 1e6)
            errors[f"{type(error).__name__}: {error}"] += 1
            connection.close()
            connection = connected()
    connection.close()


def begin() -> None:
    global began, spent_s
    began, spent_s = time.perf_counter(), time.process_time()


began = spent_s = 0.0
latency_us, late_us = [0] * TOTAL, [0] * TOTAL
keys: set[str] = set()
errors: Counter[str] = Counter()
ready = threading.Barrier(CONNECTIONS, begin, timeout=30)
threads = [threading.Thread(target=take_turns, args=(number,)) for number in range(CONNECTIONS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(latency_us), "a connection could not be made"
print(
    json.dumps(
        {
            "latency_us": latency_us,
            "late_us": late_us,
            "errors": errors,
            "keys": len(keys),
            "connections": CONNECTIONS,
            "processor_share": (time.process_time() - spent_s) / SECONDS,
        }
    )
)
