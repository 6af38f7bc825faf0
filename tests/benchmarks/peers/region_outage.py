"""Three hours, with one STS region down from minute 31 to 151: `region_outage.py FAULT`.

FAULT is `refuses` (503) or `silent` (no answer, so that each request to the region takes its
time-out in real time). Time is simulated in steps of thirty seconds. Requests go over real HTTP. At
each step four threads sign twice, the second time while a refresh is pending that the first began.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from contenders import Signer
from simulated import Signing, SteppedClock, connect, refreshing_credentials, sign

THREADS, STEP_S, END_S = 4, 30.0, 3 * 3600
DOWN_FROM_S, BACK_S = 31 * 60, 151 * 60
fault = sys.argv[1]

clouds = connect()
clock = SteppedClock(clouds)
signer = Signer(refreshing_credentials("bridge", clock))
signings: list[Signing] = []
down = False
with ThreadPoolExecutor(THREADS) as pool:
    while clock.monotonic() < END_S:
        if down != (DOWN_FROM_S <= clock.monotonic() < BACK_S):
            down = not down
            clouds("region_fails", fault=fault if down else "")
        for _ in range(2):
            signings += pool.map(lambda _: sign(signer, clock), range(THREADS))
        clock.settle()
        clock.advance(STEP_S)

failures = [signing.at_s for signing in signings if signing.key is None]
counts = clouds("counts")
print(
    json.dumps(
        {
            "signings": len(signings),
            "failed": len(failures),
            "over_50_ms": sum(signing.wait_s > 0.05 for signing in signings),
            "longest_wait_s": max(signing.wait_s for signing in signings),
            "first_failure_minute": failures[0] / 60 if failures else None,
            "keys": len({signing.key for signing in signings} - {None}),
            "first_region": counts["sts"],
            "second_region": counts["sts_second"],
        }
    )
)
