"""`ahead.py COMMAND …`: the command line, in a world whose clocks are ahead by what a file says.

Programs of others live by the real clock, and will not wait for forty minutes. So it is ours that
moves: credentials end soon by their clock, and are refreshed when the test requests it.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from gcp_aws_bridge._cache import clock


def ahead_s() -> float:
    return float(Path(os.environ["AHEAD_FILE"]).read_text(encoding="utf-8"))


# Before any other module takes it for its own.
clock.REAL = clock.World(
    clock=lambda: clock.utc_now() + timedelta(seconds=ahead_s()),
    monotonic=lambda: time.monotonic() + ahead_s(),
)

from gcp_aws_bridge.cli import main  # noqa: E402

sys.exit(main())
