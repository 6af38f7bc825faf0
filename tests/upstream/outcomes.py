"""pytest plugin for another library's tests: adds ours to every session and writes outcomes.

It is loaded by its bare name, since `tests` is a package of the other library there.
`UPSTREAM_WAY` is `plain`, `install` or `register`; `UPSTREAM_OUTCOMES` is the file to write.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import botocore
import pytest

WORST_LAST = ["skipped", "passed", "failed"]

_outcomes: dict[str, str] = {}


def _register(session: Any) -> None:
    import gcp_aws_bridge
    from gcp_aws_bridge._sts.session_settings import is_asynchronous

    if is_asynchronous(session):
        from gcp_aws_bridge import aio

        aio.register(session)
    else:
        gcp_aws_bridge.register(session)


def pytest_load_initial_conftests() -> None:
    """Run before a test module of the other library makes sessions on import."""
    way = os.environ["UPSTREAM_WAY"]
    if way == "install":
        import gcp_aws_bridge

        gcp_aws_bridge.install()
    elif way == "register":
        botocore.register_initializer(_register)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    known = _outcomes.get(report.nodeid, report.outcome)
    _outcomes[report.nodeid] = max(known, report.outcome, key=WORST_LAST.index)


def pytest_sessionfinish() -> None:
    text = json.dumps(_outcomes, indent=0, sort_keys=True)
    Path(os.environ["UPSTREAM_OUTCOMES"]).write_text(text, encoding="utf-8")
