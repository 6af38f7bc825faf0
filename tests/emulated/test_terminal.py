"""`demo` and `doctor` on terminals: colours, progress, narrow widths, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.testing import GkePod

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a terminal of another kind")
if os.name == "posix":
    from terminals import on_terminal, screen, text

ROLE = "arn:aws:iam::123456789012:role/etl"
DEMO = ["-m", "gcp_aws_bridge", "demo"]
DOCTOR = ["-m", "gcp_aws_bridge", "doctor", "--role-arn", ROLE, "--timeout", "20"]
COLOUR = re.compile(r"\033\[[0-9;]*m")
SPINNING = re.compile(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]")


@pytest.mark.exhaustive
def test_demo_shows_progress_and_then_the_number_of_requests() -> None:
    with on_terminal(DEMO) as run:
        run.until("\r\033[K  ⠋ Amazon S3 (moto)")
        assert 0 == run.end()
    seen = "\n".join(text(screen(run.output, 80)))
    assert re.search(r"✓ Amazon S3 \(moto\) +[\d,.]+ ms\n    http://127.0.0.1:", seen)
    assert not SPINNING.search(seen)
    assert "\033[1mTwo clouds on this machine\033[0m" in run.output
    assert "\033[32m✓\033[0m" in run.output


@pytest.mark.parametrize(
    ("no_color", "term", "coloured", "progress"),
    [
        ("", "xterm", True, True),
        ("1", "xterm", False, True),
        ("", "dumb", False, False),
    ],
)
def test_terminal_gets_only_what_it_can_show(
    gke_pod: GkePod, no_color: str, term: str, coloured: bool, progress: bool
) -> None:
    gke_pod.add_role(ROLE)
    with on_terminal(DOCTOR, NO_COLOR=no_color, TERM=term) as run:
        assert 0 == run.end()
    assert coloured == bool(COLOUR.search(run.output))
    assert progress == bool(SPINNING.search(run.output))
    assert (coloured or progress) == ("\033" in run.output)
    assert "All well: every step works." == text(screen(run.output, 80))[0]


def test_doctor_names_the_check_that_it_waits_for(gke_pod: GkePod) -> None:
    gke_pod.add_role(ROLE)
    gke_pod.cloud.sts.inject(Fault.hang(30), times=None)
    with on_terminal([*DOCTOR, "--timeout", "0.5"]) as run:
        run.until("step 5 of 11: sts")
        assert 1 == run.end()
    assert not SPINNING.search("\n".join(text(screen(run.output, 80))))


@pytest.mark.parametrize("columns", [40, 72])
def test_narrow_terminal_breaks_text_of_the_doctor_and_no_command(
    gke_pod: GkePod, columns: int
) -> None:
    gke_pod.cloud.unlink()
    with on_terminal(DOCTOR, columns=columns) as run:
        assert 1 == run.end()
    written = COLOUR.sub("", run.output.rpartition("\033[K")[2]).split("\r\n")
    piped = subprocess.run([sys.executable, *DOCTOR], capture_output=True, text=True, check=False)
    copied = [line for line in piped.stdout.splitlines() if line.strip().startswith("Fix: ")]
    assert copied
    assert {line.strip() for line in copied} <= {line.strip() for line in written}
    for line in written:
        assert len(line) <= columns or line.strip() in piped.stdout
    assert piped.stdout.split() == " ".join(written).split()


@pytest.mark.exhaustive
def test_a_narrow_terminal_breaks_the_demo_between_words() -> None:
    with on_terminal(DEMO, columns=44) as run:
        assert 0 == run.end()
    lines = COLOUR.sub("", run.output).replace("\r\n", "\n").split("\n")
    too_long = [line for line in (one.rpartition("\033[K")[2] for one in lines) if len(line) > 44]
    copied = ('    session = bridge.session("', "Total: ")
    assert all(line.startswith(copied) or " " not in line.strip() for line in too_long)


def test_progress_is_shown_while_the_report_is_piped(gke_pod: GkePod) -> None:
    gke_pod.add_role(ROLE)
    with on_terminal([*DOCTOR, "--json"], stdout=subprocess.PIPE) as run:
        assert run.process.stdout is not None
        report = json.loads(run.process.stdout.read())
        assert 0 == run.end()
    assert report["ok"]
    assert "reading the settings" in run.output
    assert [""] == text(screen(run.output, 80))


@pytest.mark.parametrize(
    ("command", "when"),
    [
        (DEMO, "⠋ Amazon S3 (moto)"),
        (DOCTOR, "step 3 of 11: place"),
    ],
    ids=["demo", "doctor"],
)
def test_interrupt_leaves_the_terminal_usable(
    gke_pod: GkePod, command: list[str], when: str
) -> None:
    gke_pod.cloud.metadata.inject(Fault.hang(60), times=None)
    with on_terminal(command) as run:
        run.until(when)
        run.type("\x03")
        assert 130 == run.end()
        assert run.is_as_before()
    assert "\033[?" not in run.output  # no mode was changed, such as the cursor's
    assert "Traceback" not in run.output
    *_, last = text(screen(run.output.replace("^C", ""), 80))
    assert "" == last


def test_a_terminal_of_another_encoding_gets_its_own_characters() -> None:
    with on_terminal(DEMO, PYTHONIOENCODING="ascii") as run:
        run.until("| Amazon S3 (moto)")
        assert 0 == run.end()
    assert run.output.isascii()
