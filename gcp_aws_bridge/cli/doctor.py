"""`gcp-aws-bridge doctor`: which link of the chain is broken, and what mends it."""

from __future__ import annotations

import argparse
import sys

from gcp_aws_bridge.cli import _role_options

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcp_aws_bridge.doctor import Finding, Report

# By state: the word before a finding, and its colour (ECMA-48, "Select graphic rendition").
_MARKS = {
    "ok": ("ok", "32"),
    "note": ("note", "36"),
    "warning": ("warning", "33"),
    "broken": ("BROKEN", "1;31"),
    "skipped": ("skipped", "2"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Walk the chain from the settings to AWS, link by link, and name the one that is broken: "
        "what was seen, what was wanted, what mends it. Makes one exchange and keeps nothing. "
        "Where AWS refuses, the role's trust policy is read by the AWS keys of the environment or "
        "profile, if there are any, and explained."
    )
    parser.epilog = "exit status: 0 all well, 1 a link is broken, 2 wrong usage"
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=2.0,
        metavar="S",
        help="seconds that a link may take, 0.1 to 60 (default: 2)",
    )


def seconds(text: str) -> float:
    """A time that somebody may wait for; argparse names this function where it is none."""
    value = float(text)
    if not 0.1 <= value <= 60:
        raise ValueError(text)
    return value


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    from gcp_aws_bridge.doctor import diagnose

    report = diagnose(
        {"arn": options.role_arn, **_role_options.role_settings(options)},
        _role_options.session_of(options),
        token_source=_role_options.source_of(options),
        timeout_s=options.timeout,
    )
    if options.json:
        import json

        print(json.dumps(report.as_json(), indent=2))
    else:
        print("\n".join(lines(report, colour=_has_colour())))
    return 1 if report.broken else 0


def lines(report: Report, *, colour: bool) -> Iterator[str]:
    """The report as text: the cause in one line, what mends it, then every link."""
    cause = report.cause
    if cause is None:
        yield _painted("All well: every link holds.", "1;32", colour)
    else:
        mark = "1;31" if report.broken else "1;33"
        prefix = "Cause" if report.broken else "All links hold, but"
        yield _painted(f"{prefix}: {cause.seen} [{cause.id}]", mark, colour)
        yield from _advice(cause, "  ")
    yield ""
    for finding in report.findings:
        word, paint = _MARKS[finding.state]
        seen = "as above." if finding is cause else finding.seen
        yield f"{_painted(f'{word:8}', paint, colour)} {finding.link:9} {seen}"
        # What mends a link that another explains would cover up: trusting the node's account, say.
        if finding.id and finding not in (cause, report.broken):
            yield from _advice(finding, " " * 19)


def _advice(finding: Finding, indent: str) -> Iterator[str]:
    if finding.wanted:
        yield f"{indent}Wanted: {finding.wanted}"
    for number, line in enumerate(finding.fix.splitlines()):
        yield f"{indent}{'     ' if number else 'Fix: '}{line}"


def _painted(text: str, codes: str, colour: bool) -> str:
    return f"\033[{codes}m{text}\033[0m" if colour else text


def _has_colour() -> bool:
    import os

    # no-color.org: any value but an empty one.
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
