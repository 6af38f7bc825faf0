"""Memory of `bridge.credentials` with a separate session policy for each of many tenants."""

import gc
import json
import os
import sys
import time
from pathlib import Path

from contenders import policy

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.sharing import MAX_CACHES

CHECKPOINTS = [int(number) for number in sys.argv[1:]]
ROLE = os.environ["AWS_ROLE_ARN"]


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


bridge.credentials(ROLE)
resident = {"0": resident_mb()}
started = time.perf_counter()
for number in range(1, CHECKPOINTS[-1] + 1):
    bridge.credentials(ROLE, policy=policy(number))
    if number in CHECKPOINTS:
        resident[str(number)] = resident_mb()
took_s = time.perf_counter() - started
print(json.dumps({"resident_mb": resident, "took_s": took_s, "max_caches": MAX_CACHES}))
