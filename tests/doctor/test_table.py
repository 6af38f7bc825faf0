"""Every broken set-up: its cause is named first, by the command, over real sockets."""

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

from . import fixing
from .fixing import name_of as named
from .pod import Machine
from .table import COUNTED, COUNTED_END, DIRECTIONS, PAGE, Case, Direction, cases, page_with_tables

ALL = cases()


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda one: one.cases.name)
def test_there_are_at_least_forty(direction: Direction) -> None:
    found = [case for case in ALL if case.direction is direction]
    assert len(found) >= 40
    assert len({case.title for case in found}) == len(found)
    assert {case.link for case in found} <= {link for link, _ in direction.links}


@pytest.mark.parametrize("case", ALL, ids=named)
def test_a_directory_says_what_is_wrong(case: Case) -> None:
    assert {"README.md", "case.py"} <= {
        path.name for path in (case.direction.cases / case.name).iterdir()
    }
    assert case.title
    assert not case.title.endswith(".")
    assert case.words.endswith(".")
    assert "|" not in case.title + case.words


@pytest.mark.sampled(5)
@pytest.mark.parametrize("case", ALL, ids=named)
def test_the_cause_is_named_first(
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
        pytest.skip("no /proc to tell a container's age by")
    monkeypatch.delenv("GCE_METADATA_HOST")
    with contextlib.ExitStack() as stack:
        place = case.direction.place(gke_pod.cloud, monkeypatch, tmp_path, stack)
        case.told(place)
        if not case.waits:  # nor does a machine that is busy with other tests make it wait
            place.arguments += ["--timeout", "30"]
        begun = time.perf_counter()  # for --junit-xml FILE -o junit_family=xunit1
        status = main(["doctor", "--json", *case.direction.options, *place.arguments])
        record_property("seconds", f"{time.perf_counter() - begun:.2f}")
    said = capsys.readouterr()
    report = json.loads(said.out)
    cause = report["cause"]
    assert (case.named, "") == (cause["id"], said.err), cause
    assert case.says in cause["seen"]
    assert (cause["wanted"], cause["fix"]) != ("", "")
    code = re.sub(r"extract\(.*?\)", "", cause["fix"].replace('{"', ""))  # JSON, CEL
    assert "{" not in code  # no placeholder was left
    assert ((0, True) if cause["state"] == "warning" and report["ok"] else (1, False)) == (
        status,
        report["ok"],
    )
    if not fixing.reason(case):
        follow(place, case, cause, capsys)
    assert "eyJ" not in said.out
    assert not [secret for secret in secrets_of(gke_pod.cloud) if secret in said.out]
    assert "hunter2" not in said.out


def follow(
    place: Machine, case: Case, cause: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Apply the fix, and that of what comes to light then, until the chain holds."""
    for name in (named(case), "", ""):
        fixing.apply(place, name, cause)
        main(["doctor", "--json", *case.direction.options, *place.arguments])
        report = json.loads(capsys.readouterr().out)
        if report["cause"] is None:
            return
        again = (report["cause"]["link"], report["cause"]["id"])
        assert again != (cause["link"], cause["id"]), report["cause"]
        cause = report["cause"]
    raise AssertionError(cause)


def secrets_of(cloud: Emulator) -> set[str]:
    """Every secret that went over the wire, or is with the clouds."""
    keys = cloud._accounts._keys.values()
    found = {secret for key in keys for secret in (key.secret_access_key, key.session_token)}
    found |= set(cloud._iam._tokens)
    found |= {request.params.get("subject_token") for request in cloud.google_sts.requests}
    return {secret for secret in found if secret}


def test_the_page_has_the_tables_of_these_directories() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    page = PAGE.read_text(encoding="utf-8")
    assert all(one.begin in page and one.end in page for one in DIRECTIONS)
    assert COUNTED in page
    assert COUNTED_END in page
    assert page_with_tables(page) == page, "python -m tests.doctor"
