"""`gcp-aws-bridge doctor`: find the step that fails, in either direction, and print the fix."""

from __future__ import annotations

import argparse
import sys

from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._terminal import Terminal, wrapped

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gcp_aws_bridge.doctor import Finding, Report
    from gcp_aws_bridge.doctor.chain import Link

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
        "Check each step from the settings to AWS, and report the one that fails: what was found, "
        "what was expected, and the fix. Makes one exchange and keeps no credentials. If AWS "
        "denies the role, its trust policy is read with the AWS keys of the environment or "
        "profile, if there are any, and explained. With --google, check the other direction, from "
        "an AWS identity to Google's tokens."
    )
    parser.epilog = "exit status: 0 all steps work, 1 a step fails, 2 wrong usage"
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    _add_google(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=2.0,
        metavar="S",
        help="time limit for each step in seconds, 0.1 to 60 (default: 2)",
    )


def _add_google(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the other direction",
        "With --google, --audience is the workload identity provider; of the options above, "
        "--profile and --region also apply.",
    )
    group.add_argument(
        "--google", action="store_true", help="check the direction from AWS to Google"
    )
    group.add_argument(
        "--service-account",
        metavar="EMAIL",
        help="service account to impersonate (default: GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT, or "
        "the file of GOOGLE_APPLICATION_CREDENTIALS)",
    )
    group.add_argument(
        "--source",
        choices=("signed-request", "token-file", "outbound"),
        help="kind of subject token (default: a token file for the provider, else a signed "
        "request)",
    )
    group.add_argument(
        "--lifetime-seconds",
        dest="lifetime_s",
        type=int,
        metavar="N",
        help="lifetime of the service account's token: 600 to 43200 (default: 3600)",
    )
    parser.set_defaults(wrong_usage=parser.error)


def seconds(text: str) -> float:
    """Parse a time limit; argparse uses the name of this function in its error message."""
    value = float(text)
    if not 0.1 <= value <= 60:
        raise ValueError(text)
    return value


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    _check_direction(options)
    # Even if the report is piped, a user may watch stderr.
    with Terminal(sys.stderr).waiting("reading the settings") as looking:
        report = (_to_google if options.google else _to_aws)(options, looking)
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
    *("role_arn", "role_session_name", "duration_seconds", "chain"),
    *("impersonate", "id_token_file"),
)
_TO_GOOGLE = ("service_account", "source", "lifetime_s")


def _check_direction(options: argparse.Namespace) -> None:
    for name in _TO_AWS if options.google else _TO_GOOGLE:
        if getattr(options, name) is not None:
            without = "is not for" if options.google else "is for"
            option = name.replace("_", "-").replace("lifetime-s", "lifetime-seconds")
            options.wrong_usage(f"--{option} {without} --google")


def _to_aws(options: argparse.Namespace, looking: Callable[[str], None]) -> Report:
    from gcp_aws_bridge.doctor import LINKS, diagnose

    return diagnose(
        {"arn": options.role_arn, **_role_options.role_settings(options)},
        _role_options.session_of(options),
        token_source=_role_options.source_of(options),
        timeout_s=options.timeout,
        looking_at=_numbered(LINKS, looking),
    )


def _to_google(options: argparse.Namespace, looking: Callable[[str], None]) -> Report:
    from gcp_aws_bridge._extra import extra

    with extra("google", "google.auth", "2.38"):
        from gcp_aws_bridge.doctor.google import LINKS, diagnose

    return diagnose(
        {name: getattr(options, name) for name in ("audience", *_TO_GOOGLE)},
        _role_options.session_of(options),
        is_own=options.profile is not None or options.region is not None,
        timeout_s=options.timeout,
        looking_at=_numbered(LINKS, looking),
    )


def _numbered(links: Sequence[Link], looking: Callable[[str], None]) -> Callable[[str], None]:
    places = {link.name: number for number, link in enumerate(links, 1)}
    return lambda name: looking(f"step {places[name]} of {len(places)}: {name}")


def lines(report: Report, *, colour: bool, columns: int | None = None) -> Iterator[str]:
    """Yield the lines of the report: the cause, its fix, then every step.

    Args:
        report: The report.
        colour: Whether to use colours.
        columns: Width to which sentences are wrapped; None: no wrapping. Fixes are never wrapped,
            so that they can be copied.
    """
    cause = report.cause
    if cause is None:
        yield _painted("Every step works.", "1;32", colour)
    else:
        mark = "1;31" if report.broken else "1;33"
        prefix = "Cause" if report.broken else "Every step works, but"
        for line in _wrap(f"{prefix}: {cause.seen} [{cause.id}]", columns):
            yield _painted(line, mark, colour)
        yield from _advice(cause, "  ", colour, columns)
    yield ""
    indent = 19 if columns is None or columns >= 60 else 2
    for finding in report.findings:
        word, paint = _MARKS[finding.state]
        seen = "as above." if finding is cause else finding.seen
        # Stand-in for the state and the name, so that the text is wrapped around them.
        head, *more = _wrap(f"{'x' * 18} {seen}", columns, indent)
        yield f"{_painted(f'{word:8}', paint, colour)} {finding.link:9}{head[18:]}"
        yield from more
        # A fix for a step whose failure is explained by another step would hide the cause, such as
        # trusting the node's account.
        if finding.id and finding not in (cause, report.broken):
            yield from _advice(finding, " " * indent, colour, columns)


def _wrap(text: str, columns: int | None, indent: int = 0) -> list[str]:
    if columns is None:
        return [text]
    first, *more = wrapped(text, columns)
    if more:
        more = wrapped(" ".join(more), columns - indent)
    return [first, *(f"{' ' * indent}{line}" for line in more)]


def _advice(finding: Finding, indent: str, colour: bool, columns: int | None) -> Iterator[str]:
    if wanted := finding.wanted:
        # A trust policy must be copyable, too.
        room = None if columns is None or wanted.startswith("{") else columns - len(indent)
        first, *more = _wrap(f"Wanted: {wanted}", room, 8)
        yield f"{indent}{_painted('Wanted:', '1', colour)}{first[7:]}"
        yield from (f"{indent}{line}" for line in more)
    for number, line in enumerate(finding.fix.splitlines()):
        yield f"{indent}{'    ' if number else _painted('Fix:', '1', colour)} {line}"


def _painted(text: str, codes: str, colour: bool) -> str:
    return f"\033[{codes}m{text}\033[0m" if colour else text
