"""Signing across a refresh while STS is slow: `slow_sts.py bridge|recipe SIGNATURES`.

Four threads sign at their own pace. After some signatures, all clocks jump to minute 46 of the
credentials' hour, where both contenders refresh (botocore from minute 45); from there time is real,
and the refresh takes the 400 ms of STS.
"""

import json
import sys
import threading
import time
from datetime import timedelta

from contenders import Signer
from simulated import RunningClock, connect, refreshing_credentials

THREADS, PACE_S, STS_LATENCY_S = 4, 0.001, 0.4
contender, signatures = sys.argv[1], int(sys.argv[2])


def sign_all(share: int) -> None:
    for _ in range(share):
        started = time.perf_counter()
        key = signer.sign()
        waits.append((time.perf_counter() - started, key))
        time.sleep(PACE_S)


clouds = connect()
clock = RunningClock(clouds)
signer = Signer(refreshing_credentials(contender, clock))
signer.sign()  # imports
waits: list[tuple[float, str]] = []
clouds("sts_latency", seconds=STS_LATENCY_S)
before = clouds("counts")["sts"]
threads = [threading.Thread(target=sign_all, args=(signatures // THREADS,)) for _ in range(THREADS)]
for thread in threads:
    thread.start()
while len(waits) < signatures // 4:
    time.sleep(PACE_S)
clock.jump(timedelta(minutes=46))
for thread in threads:
    thread.join()
clouds("sts_latency", seconds=0.0)

keys = {key for _, key in waits}
assert len(waits) == signatures
assert len(keys) == 2, f"{len(keys)} sets of credentials: the run did not contain the refresh"
print(
    json.dumps(
        {
            "signatures": len(waits),
            "over_50_ms": sum(wait > 0.05 for wait, _ in waits),
            "longest_ms": max(wait for wait, _ in waits) * 1000,
            "exchanges": clouds("counts")["sts"] - before,
        }
    )
)
