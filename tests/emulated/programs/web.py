"""A WSGI application that is loaded before the workers are forked; a file sets the clock."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.clock import World, utc_now
from gcp_aws_bridge._cache.sharing import registry


def ahead_s() -> float:
    return float(Path(os.environ["AHEAD_FILE"]).read_text(encoding="utf-8"))


registry.world = World(
    clock=lambda: utc_now() + timedelta(seconds=ahead_s()),
    monotonic=lambda: time.monotonic() + ahead_s(),
)
credentials = bridge.credentials(os.environ["ROLE"])
credentials.get_frozen_credentials()


def app(environ, start_response):
    body = json.dumps([os.getpid(), credentials.get_frozen_credentials().access_key]).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
