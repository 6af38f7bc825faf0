"""Runs a table of checks: order, skipping, parallel requests, errors as findings, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from gcp_aws_bridge.doctor.context import Context, started
from gcp_aws_bridge.doctor.report import Finding, Report
from gcp_aws_bridge.exceptions import BridgeError

DEFAULT_TIMEOUT_S = 2.0
Progress = Callable[[str], None]


class Check(NamedTuple):
    """One row of a table of checks.

    Attributes:
        name: Name in findings, and in the `needs` of later checks.
        function: Yields findings. A `BridgeError` that it raises becomes one.
        needs: Checks that must not have failed. Otherwise this one is skipped.
        expected: What a working set-up has, for findings that do not say so themselves.
        parallel: Runs at the same time as the other parallel checks, and must not need them. For
            checks that wait for a server, so that the waits for silent servers do not add up.
    """

    name: str
    function: Callable[[Any], Iterator[Finding]]
    needs: tuple[str, ...] = ()
    expected: str = ""
    parallel: bool = False


def run(checks: Sequence[Check], context: Context, progress: Progress) -> Report:
    """Run *checks* in their order and return all findings.

    Args:
        progress: Called with the name of each check before it runs.
    """
    findings: list[Finding] = []
    failed: set[str] = set()  # or skipped
    futures: dict[str, Future[list[Finding]]] = {}
    for check in checks:
        if missing := [name for name in check.needs if name in failed]:
            failed.add(check.name)
            findings.append(
                Finding(check.name, "skipped", f"Not checked: it needs {' and '.join(missing)}.")
            )
            continue
        progress(check.name)
        if check.parallel and not futures:
            futures = {
                one.name: started(partial(_findings, one, context), context.world)
                for one in checks
                if one.parallel and failed.isdisjoint(one.needs)
            }
        found = futures[check.name].result() if check.parallel else _findings(check, context)
        findings += found
        if any(one.state == "broken" for one in found):
            failed.add(check.name)
    return Report(tuple(findings))


def _findings(check: Check, context: Context) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(check.function(context))
    except BridgeError as error:
        findings.append(Finding.of(check.name, error))
    return [
        replace(found, wanted=check.expected)
        if found.state == "broken" and not found.wanted
        else found
        for found in findings
    ]
