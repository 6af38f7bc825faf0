"""An application that makes its client while it is imported, as most do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import gcp_aws_bridge as bridge

client = bridge.session("arn:aws:iam::123456789012:role/etl", region_name="us-east-1").client("sts")


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    import uwsgi  # type: ignore[import-not-found]

    begun = time.monotonic()
    arn = client.get_caller_identity()["Arn"]
    body = {"arn": arn, "worker": uwsgi.worker_id(), "seconds": time.monotonic() - begun}
    start("200 OK", [])
    return [json.dumps(body).encode()]
