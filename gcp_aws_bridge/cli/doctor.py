"""`gcp-aws-bridge doctor`: which step fails, in either direction, and how to fix it."""

from __future__ import annotations

import argparse
import sys

from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._terminal import Terminal, wrapped

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gcp_aws_bridge.doctor import Finding, Report
    from gcp_aws_bridge.doctor.runner import Check

# By state: the word in the report, and its colour (ECMA-48, "Select graphic rendition").
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
        "Check each step from the settings to AWS and name the one that fails: what was found, "
        "what was expected, how to fix it. Makes one exchange, in each region of several, and "
        "keeps nothing. If AWS denies the role and there are AWS keys in the environment or "
        "profile, the role's trust policy is read with them and explained. --google checks the "
        "other direction, from an AWS identity to Google's tokens."
    )
    parser.epilog = "exit status: 0 all well, 1 a step fails, 2 wrong usage"
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    _add_google(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=2.0,
        metavar="S",
        help="seconds that a step may take, 0.1 to 60 (default: 2)",
    )


def _add_google(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the other direction",
        "With --google, --audience is the workload identity provider; of the options above, "
        "--profile and --region apply as well.",
    )
    group.add_argument("--google", action="store_true", help="check the steps from AWS to Google")
    group.add_argument(
        "--service-account",
        metavar="EMAIL",
        help="service account to act as (default: GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT, or the "
        "file of GOOGLE_APPLICATION_CREDENTIALS)",
    )
    group.add_argument(
        "--source",
        choices=("signed-request", "token-file", "outbound"),
        help="subject token to send (default: the provider's token file, else a signed request)",
    )
    group.add_argument(
        "--lifetime-seconds",
        dest="lifetime_s",
        type=int,
        metavar="N",
        help="lifetime of the service account's token, 600 to 43200 (default: 3600)",
    )
    parser.set_defaults(wrong_usage=parser.error)


def seconds(text: str) -> float:
    """Parse a time-out; argparse has the name of this function in its error."""
    value = float(text)
    if not 0.1 <= value <= 60:
        raise ValueError(text)
    return value


def run(options: argparse.Namespace) -> int:
    """Print the report and return the exit status."""
    _check_direction(options)
    # Progress goes to stderr, which may be a terminal even if the report is piped.
    with Terminal(sys.stderr).waiting("reading the settings") as show:
        report = (_to_google if options.google else _to_aws)(options, show)
    terminal = Terminal(sys.stdout)
    if options.json:
        import json

        print(json.dumps(report.as_json(), indent=2))
    else:
        columns = terminal.columns if terminal.live else None
        print("\n".join(lines(report, colour=terminal.colour, columns=columns)))
    return 1 if report.broken else 0


# Options of one direction only.
_TO_AWS = (
    *("role_arn", "role_session_name", "duration_seconds", "chain", "sts_regions"),
    *("impersonate", "id_token_file"),
)
_TO_GOOGLE = ("service_account", "source", "lifetime_s")
_OPTIONS = {"lifetime_s": "lifetime-seconds", "sts_regions": "sts-region"}


def _check_direction(options: argparse.Namespace) -> None:
    for name in _TO_AWS if options.google else _TO_GOOGLE:
        if getattr(options, name) is not None:
            without = "is not for" if options.google else "is for"
            option = _OPTIONS.get(name, name.replace("_", "-"))
            options.wrong_usage(f"--{option} {without} --google")


def _to_aws(options: argparse.Namespace, show: Callable[[str], None]) -> Report:
    from gcp_aws_bridge.doctor import checks_for, diagnose

    arguments = {"arn": options.role_arn, **_role_options.role_settings(options)}
    session = _role_options.session_of(options)
    return diagnose(
        arguments,
        session,
        token_source=_role_options.source_of(options),
        timeout_s=options.timeout,
        progress=_numbered(checks_for(arguments, session), show),
    )


def _to_google(options: argparse.Namespace, show: Callable[[str], None]) -> Report:
    from gcp_aws_bridge._extra import extra

    with extra("google", "google.auth", "2.38"):
        from gcp_aws_bridge.doctor.google import checks_for, diagnose

    arguments = {name: getattr(options, name) for name in ("audience", *_TO_GOOGLE)}
    return diagnose(
        arguments,
        _role_options.session_of(options),
        is_own=options.profile is not None or options.region is not None,
        timeout_s=options.timeout,
        progress=_numbered(checks_for(arguments), show),
    )


def _numbered(checks: Sequence[Check], show: Callable[[str], None]) -> Callable[[str], None]:
    numbers = {check.name: number for number, check in enumerate(checks, 1)}
    return lambda name: show(f"step {numbers[name]} of {len(numbers)}: {name}")


def lines(report: Report, *, colour: bool, columns: int | None = None) -> Iterator[str]:
    """Yield the report as text: the cause, its fix, then every finding.

    Args:
        columns: Width to which sentences are wrapped; None for no limit. Commands are never
            wrapped, so that they can be copied.
    """
    cause = report.cause
    if cause is None:
        yield _painted("All well: every step works.", "1;32", colour)
    else:
        mark = "1;31" if report.broken else "1;33"
        prefix = "Cause" if report.broken else "All steps work, but"
        for line in _wrapped(f"{prefix}: {cause.seen} [{cause.id}]", columns):
            yield _painted(line, mark, colour)
        yield from _advice(cause, "  ", colour, columns)
    yield ""
    indent = 19 if columns is None or columns >= 60 else 2
    for finding in report.findings:
        word, paint = _MARKS[finding.state]
        seen = "as above." if finding is cause else finding.seen
        # A placeholder of the width of state and name, so that the text is wrapped around them.
        head, *more = _wrapped(f"{'x' * 18} {seen}", columns, indent)
        yield f"{_painted(f'{word:8}', paint, colour)} {finding.link:9}{head[18:]}"
        yield from more
        # The fix of a step that a warning explains would hide the cause: trusting the node's
        # account, for example.
        if finding.id and finding not in (cause, report.broken):
            yield from _advice(finding, " " * indent, colour, columns)


def _wrapped(text: str, columns: int | None, indent: int = 0) -> list[str]:
    if columns is None:
        return [text]
    first, *more = wrapped(text, columns)
    if more:
        more = wrapped(" ".join(more), columns - indent)
    return [first, *(f"{' ' * indent}{line}" for line in more)]


def _advice(finding: Finding, indent: str, colour: bool, columns: int | None) -> Iterator[str]:
    if wanted := finding.wanted:
        # A trust policy is not wrapped, so that it can be copied.
        room = None if columns is None or wanted.startswith("{") else columns - len(indent)
        first, *more = _wrapped(f"Wanted: {wanted}", room, 8)
        yield f"{indent}{_painted('Wanted:', '1', colour)}{first[7:]}"
        yield from (f"{indent}{line}" for line in more)
    for number, line in enumerate(finding.fix.splitlines()):
        yield f"{indent}{'    ' if number else _painted('Fix:', '1', colour)} {line}"


def _painted(text: str, codes: str, colour: bool) -> str:
    return f"\033[{codes}m{text}\033[0m" if colour else text
