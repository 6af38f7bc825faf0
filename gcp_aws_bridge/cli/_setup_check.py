"""`setup --check`: run the queries of `provision.check` with the clouds' CLIs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.provision.queries import Answer, Ask, Finding

# gcloud takes some seconds to start; the slowest query is about a cluster.
_TIMEOUT_S = 60
# Messages for objects that do not exist: of gcloud (different for each API), aws, kubectl.
_ABSENT = re.compile(
    r"\bNOT_FOUND\b|\bcode=404\b|status=\[404\]|Cannot find (?:service|job) |was not found"
    r"|\(NoSuchEntity(?:Exception)?\)|\(NotFound\)|\(ResourceNotFoundException\)"
    r"|\(FeatureDisabled(?:Exception)?\)"
)
_MARKS = {"ok": "ok       ", "missing": "MISSING  ", "differs": "DIFFERS  ", "unknown": "UNKNOWN  "}


def run(compare: Callable[[Ask], Iterator[Finding]], *, as_json: bool) -> int:
    """Print the findings of *compare*; return 0 if everything is as planned, else 1."""
    findings = []
    for finding in compare(ask):
        findings.append(finding)
        if not as_json:
            print("\n".join(_lines(finding)), flush=True)
    wrong = [finding for finding in findings if finding.state != "ok"]
    if as_json:
        found = {"ok": not wrong, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(found, indent=2))
        return 1 if wrong else 0
    print(f"\n{len(findings) - len(wrong)} of {len(findings)} are as planned.")
    if any(finding.state in ("missing", "differs") for finding in wrong):
        print("Run what `gcp-aws-bridge setup` writes with the same options to correct the others.")
    return 1 if wrong else 0


def _lines(finding: Finding) -> list[str]:
    lines = [_MARKS[finding.state] + finding.what]
    if finding.seen:
        lines.append(f"           seen:   {finding.seen}")
    if finding.wanted:
        lines.append(f"           wanted: {finding.wanted}")
    return lines


def ask(command: Sequence[str]) -> Answer:
    """Run *command*, which only reads, and return its answer."""
    program = shutil.which(command[0])
    if program is None:
        return Answer(problem=f"{command[0]} is not installed here")
    environment = {**os.environ, "AWS_PAGER": "", "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - names in it are checked, and there is no shell
            [program, *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return Answer(problem=f"{command[0]} did not answer in {_TIMEOUT_S} s")
    except OSError as error:
        return Answer(problem=f"{command[0]} cannot be run: {error.strerror}")
    if done.returncode == 0:
        try:
            return Answer(json.loads(done.stdout))
        except ValueError:
            return Answer(problem=f"{command[0]} printed no JSON")
    if _ABSENT.search(done.stderr):
        return Answer(absent=True)
    lines = [line for line in done.stderr.splitlines() if line.strip()] or [""]
    message = next((line for line in lines if "rror" in line), lines[-1])
    return Answer(problem=f"{command[0]} failed: {quoted(message)}")
