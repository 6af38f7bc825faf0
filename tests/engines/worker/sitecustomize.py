"""Set the clocks of a worker process ahead by the seconds in a file, which a test writes.

A worker of an engine is started by the engine, which no test can change, except by its environment.
"""

import os
import time
from datetime import timedelta
from pathlib import Path

from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._cache.sharing import registry


def ahead_s() -> float:
    return float(Path(os.environ["AHEAD_FILE"]).read_text(encoding="utf-8"))


registry.world = World(
    clock=lambda: utc_now() + timedelta(seconds=ahead_s()),
    monotonic=lambda: time.monotonic() + ahead_s(),
)
