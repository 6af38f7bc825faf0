"""Refreshes of many tenants that are all due at once: `many_tenants.py TENANTS`.

Each tenant has its own session policy. When all have credentials, the clock jumps to minute 40 of
their hour, when every refresh is due, and from then on STS takes 400 ms. One thread reads the
credentials of all tenants in turn, until all have been refreshed.
"""

import gc
import json
import os
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from contenders import policy
from simulated import RunningClock, connect, use

import gcp_aws_bridge as bridge

STS_LATENCY_S = 0.4
ROLE = os.environ["AWS_ROLE_ARN"]


def usage() -> tuple[int, int]:
    """Return the numbers of threads and of sockets of this process."""
    descriptors = [descriptor.path for descriptor in os.scandir("/proc/self/fd")]
    return threading.active_count(), sum(map(is_socket, descriptors))


def is_socket(descriptor: str) -> bool:
    try:
        return Path(descriptor).readlink().name.startswith("socket:")
    except FileNotFoundError:  # closed meanwhile
        return False


clouds = connect()
clock = RunningClock(clouds)
use(clock)
credentials = [bridge.credentials(ROLE, policy=policy(n)) for n in range(int(sys.argv[1]))]
end = clock.now() + timedelta(hours=1)  # of the credentials that expire first
first = [held.get_frozen_credentials().access_key for held in credentials]

before, most = usage(), usage()
requests = clouds("counts")["sts"]
clouds("sts_latency", seconds=STS_LATENCY_S)
clock.jump(timedelta(minutes=40))
started = time.perf_counter()
pending = set(range(len(credentials)))
longest_s, longest_alone_s, expired, answers_by_second = 0.0, 0.0, 0, Counter[int]()
collections_s, collection_started = 0.0, 0.0


def note_collection(phase: str, _: object) -> None:
    """Add up the time of garbage collections, which stop all threads."""
    global collections_s, collection_started
    if phase == "start":
        collection_started = time.perf_counter()
    else:
        collections_s += time.perf_counter() - collection_started


gc.callbacks.append(note_collection)
while pending:
    for number, held in enumerate(credentials):
        collecting_s, called = collections_s, time.perf_counter()
        frozen = held.get_frozen_credentials()
        answered = time.perf_counter()
        read_s = answered - called
        longest_s = max(longest_s, read_s)
        longest_alone_s = max(longest_alone_s, read_s - (collections_s - collecting_s))
        if frozen.access_key == first[number]:
            expired += clock.now() >= end
        elif number in pending:
            pending.discard(number)
            answers_by_second[int(answered - started)] += 1
        if number % 100 == 0:
            time.sleep(0.002)  # without a pause it would take the time of the refreshes
        if number % 500 == 0:
            most = tuple(map(max, most, usage()))
    time.sleep(0.01)
took_s = time.perf_counter() - started
clouds("sts_latency", seconds=0.0)

print(
    json.dumps(
        {
            "tenants": len(credentials),
            "threads_more": most[0] - before[0],
            "sockets_more": most[1] - before[1],
            "longest_read_ms": longest_s * 1000,
            "longest_read_alone_ms": longest_alone_s * 1000,
            "expired": expired,
            "exchanges": clouds("counts")["sts"] - requests,
            "busiest_second": max(answers_by_second.values()),
            "took_s": took_s,
        }
    )
)
