"""Sessions for one role, made and used by 16 threads: `many_sessions.py bridge|recipe 50`."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from contenders import make_session

SESSIONS, THREADS = int(sys.argv[2]), 16


def use_one(_: int) -> str:
    credentials = make_session(sys.argv[1]).get_credentials()
    return str(credentials.get_frozen_credentials().access_key)


started = time.perf_counter()
with ThreadPoolExecutor(THREADS) as pool:
    keys = list(pool.map(use_one, range(SESSIONS)))
took_s = time.perf_counter() - started
assert len(keys) == SESSIONS
assert all(key.startswith("ASIA") for key in keys)
print(json.dumps({"sessions": SESSIONS, "threads": THREADS, "took_s": took_s}))
