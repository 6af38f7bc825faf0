"""Every broken set-up: its cause is named first, by the command, over real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.testing import GkePod

from .pod import Pod
from .table import BEGIN, CASES, END, PAGE, Case, cases, page_with_table

ALL = cases()


def test_there_are_at_least_forty() -> None:
    assert len(ALL) >= 40
    assert len({case.title for case in ALL}) == len(ALL)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_a_directory_says_what_is_wrong(case: Case) -> None:
    assert {"README.md", "case.py"} <= {path.name for path in (CASES / case.name).iterdir()}
    assert case.title
    assert not case.title.endswith(".")
    assert case.words.endswith(".")
    assert "|" not in case.title + case.words


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
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
        pod = Pod(gke_pod.cloud, monkeypatch, tmp_path, stack)
        case.told(pod)
        if not case.waits:  # nor does a machine that is busy with other tests make it wait
            pod.arguments += ["--timeout", "30"]
        begun = time.perf_counter()
        status = main(["doctor", "--json", *pod.arguments])
        record_property("seconds", f"{time.perf_counter() - begun:.2f}")  # for --junit-xml
    said = capsys.readouterr()
    report = json.loads(said.out)
    cause = report["cause"]
    assert (case.named, "") == (cause["id"], said.err), cause
    assert case.says in cause["seen"]
    assert (cause["wanted"], cause["fix"]) != ("", "")
    assert "{" not in cause["fix"].replace('{"', "")  # no placeholder was left
    assert ((0, True) if cause["state"] == "warning" and report["ok"] else (1, False)) == (
        status,
        report["ok"],
    )
    assert "eyJ" not in said.out
    assert "hunter2" not in said.out


def test_the_page_has_the_table_of_these_directories() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    page = PAGE.read_text(encoding="utf-8")
    assert BEGIN in page
    assert END in page
    assert page_with_table(page) == page, "python -m tests.doctor"
