"""Every faulty set-up: the command reports its cause, over real sockets, and the fix works."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.testing import GkePod

from . import fixing, sockets
from .fixing import name_of
from .pod import Machine
from .table import COUNTED, COUNTED_END, DIRECTIONS, PAGE, Case, Direction, cases, page_with_tables

ALL = cases()


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda one: one.cases.name)
def test_each_direction_has_at_least_forty_cases(direction: Direction) -> None:
    found = [case for case in ALL if case.direction is direction]
    assert len(found) >= 40
    assert len({case.title for case in found}) == len(found)
    assert {case.check for case in found} <= {check for check, _ in direction.checks}


@pytest.mark.parametrize("case", ALL, ids=name_of)
def test_directory_describes_the_fault(case: Case) -> None:
    assert {"README.md", "case.py"} <= {
        path.name for path in (case.direction.cases / case.name).iterdir()
    }
    assert case.title
    assert not case.title.endswith(".")
    assert case.words.endswith(".")
    assert "|" not in case.title + case.words


@pytest.mark.sampled(5)
@pytest.mark.parametrize("case", ALL, ids=name_of)
def test_cause_is_reported_and_its_fix_works(
    case: Case,
    gke_pod: GkePod,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    if case.name.endswith("-drops-packets") and sys.platform != "linux":
        pytest.skip("a full queue drops a SYN on Linux only")
    if case.name.startswith("metadata-first-seconds") and not hasattr(os, "sysconf"):
        pytest.skip("no /proc with a container's age")
    if case.name == "sts-without-ipv4" and not sockets.has_ipv6():
        pytest.skip("no IPv6 here")
    monkeypatch.delenv("GCE_METADATA_HOST")
    with contextlib.ExitStack() as stack:
        machine = case.direction.machine(gke_pod.cloud, monkeypatch, tmp_path, stack)
        case.set_up(machine)
        begun = time.perf_counter()  # for --junit-xml FILE -o junit_family=xunit1
        # A time-out that is waited for is short; any other is long, in case this machine is busy.
        status = doctor(machine, case, timeout_s=1 if case.times_out else 30)
        record_property("seconds", f"{time.perf_counter() - begun:.2f}")
        output = capsys.readouterr()
        report = json.loads(output.out)
        cause = report["cause"]
        assert (case.cause, "") == (cause["id"], output.err), cause
        assert case.seen in cause["seen"]
        assert (cause["wanted"], cause["fix"]) != ("", "")
        code = re.sub(r"extract\(.*?\)", "", cause["fix"].replace('{"', ""))  # JSON, CEL
        assert "{" not in code  # no placeholder was left
        assert ((0, True) if cause["state"] == "warning" and report["ok"] else (1, False)) == (
            status,
            report["ok"],
        )
        if not fixing.reason(case):
            follow(machine, case, cause, capsys)
    assert "eyJ" not in output.out
    assert not [secret for secret in secrets_of(gke_pod.cloud) if secret in output.out]
    assert "hunter2" not in output.out


def doctor(machine: Machine, case: Case, timeout_s: float) -> int:
    options = [*case.direction.options, f"--timeout={timeout_s}"]
    return main(["doctor", "--json", *options, *machine.arguments])


def follow(
    machine: Machine, case: Case, cause: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Apply the fix, and the fixes of the causes reported next, until every step works."""
    for name in (name_of(case), "", ""):
        fixing.apply(machine, name, cause)
        doctor(machine, case, timeout_s=2 if case.times_out else 30)
        report = json.loads(capsys.readouterr().out)
        if report["cause"] is None:
            return
        again = (report["cause"]["link"], report["cause"]["id"])
        assert again != (cause["link"], cause["id"]), report["cause"]
        cause = report["cause"]
    raise AssertionError(cause)


def secrets_of(cloud: Emulator) -> set[str]:
    """Return every secret that was sent, or that the emulated clouds have."""
    keys = cloud._accounts._keys.values()
    found = {secret for key in keys for secret in (key.secret_access_key, key.session_token)}
    found |= set(cloud._iam._tokens)
    found |= {request.params.get("subject_token") for request in cloud.google_sts.requests}
    return {secret for secret in found if secret}


def test_page_has_the_tables_of_these_directories() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    page = PAGE.read_text(encoding="utf-8")
    assert all(one.begin in page and one.end in page for one in DIRECTIONS)
    assert COUNTED in page
    assert COUNTED_END in page
    assert page_with_tables(page) == page, "python -m tests.doctor"
