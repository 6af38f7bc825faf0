"""An hour with an outage of STS from minute 31: `refusing_sts.py bridge|recipe BACK`.

BACK is the minute in which STS answers again; 60 or more: not within the hour. Time is simulated,
in steps of ten seconds, and of one second after the outage, as are the sleeps of both contenders.
Requests go over real HTTP. At each step four threads sign once. A wait is simulated and real time
together. The program stops at the first fresh credentials.

Steps of ten seconds limit the cost: each failure of the recipe makes a client and six requests.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from contenders import Signer
from simulated import Signing, SteppedClock, connect, refreshing_credentials, sign

THREADS, HOUR_S, REFUSES_FROM_S = 4, 3600, 31 * 60
# Goals exclude these signatures: with so little time left, a request may be too late at AWS.
LAST_SECONDS = 10
STEP_S, STEP_WHEN_BACK_S = 10.0, 1.0
contender, back_s = sys.argv[1], float(sys.argv[2]) * 60


clouds = connect()
clock = SteppedClock(clouds)
signer = Signer(refreshing_credentials(contender, clock))
signings: list[Signing] = []
steps: list[tuple[float, int, float, int]] = []  # time; failures; longest wait; STS requests so far
refuses = False
with ThreadPoolExecutor(THREADS) as pool:
    while clock.monotonic() < HOUR_S:
        if refuses != (REFUSES_FROM_S <= clock.monotonic() < back_s):
            refuses = not refuses
            clouds("sts_refuses", refuses=refuses)
        signings += pool.map(lambda _: sign(signer, clock), range(THREADS))
        clock.settle()
        latest = signings[-THREADS:]
        steps.append(
            (
                latest[0].at_s,
                sum(signing.key is None for signing in latest),
                max(signing.wait_s for signing in latest),
                clouds("counts")["sts"],
            )
        )
        if any(signing.key not in (None, signings[0].key) for signing in latest):
            break
        clock.advance(STEP_S if clock.monotonic() < back_s else STEP_WHEN_BACK_S)

failures = [signing.at_s for signing in signings if signing.key is None]
fresh = [s for s in signings if s.key not in (None, signings[0].key)]
assert not (fresh and fresh[0].at_s < back_s), "refreshed outside of the outage"
counted = [signing for signing in signings if signing.at_s < HOUR_S - LAST_SECONDS]
print(
    json.dumps(
        {
            "signings": len(counted),
            "failed": sum(signing.key is None for signing in counted),
            "over_50_ms": sum(signing.wait_s > 0.05 for signing in counted),
            "longest_wait_s": max(signing.wait_s for signing in counted),
            "first_failure_minute": failures[0] / 60 if failures else None,
            "fresh_after_s": fresh[0].at_s + fresh[0].wait_s - back_s if fresh else None,
            "sts_requests": clouds("counts")["sts"],
            "steps": steps,
        }
    )
)
