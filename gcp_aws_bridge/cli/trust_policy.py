"""`gcp-aws-bridge trust-policy`: write, explain and check the trust policy of a role."""

from __future__ import annotations

import argparse
import json
import sys

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

# Far more than the size of any policy or token.
_MOST_CHARACTERS = 1_000_000
_FORMS = ("json", "terraform", "cloudformation")
_IN_TOKEN = ("service_account", "key_file", "issuer", "subject", "audience")
_STATUS = "Exit status: 0 {0}; 2 bad input or wrong usage."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    parser.description = (
        "Write the trust policy of a role, explain whether a policy admits a token, or find "
        "mistakes in a policy. Makes no requests."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    for name, summary, status, declare in (
        ("build", "write a policy that admits exactly these accounts", "written", _build),
        (
            "check",
            "explain whether a policy admits a token",
            "admitted, 1 denied or unclear",
            _check,
        ),
        ("lint", "find mistakes in a policy", "no mistakes, 1 mistakes", _lint),
    ):
        declare(
            actions.add_parser(
                name,
                help=summary,
                description=f"{summary[0].upper()}{summary[1:]}.",
                epilog=_STATUS.format(status),
            )
        )


def _build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--service-account",
        metavar="NUMBER",
        action="append",
        default=[],
        help="unique id (21 digits) of a Google service account whose tokens come from the "
        "metadata server or from impersonation (gcloud iam service-accounts describe EMAIL "
        "--format='value(uniqueId)'); may be repeated",
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        action="append",
        default=[],
        help="JSON key of a service account, whose tokens have the e-mail address as azp; only "
        "client_id and client_email are read; may be repeated",
    )
    _add_issuer(parser)
    parser.add_argument(
        "--audience",
        help="audience of the ID tokens (default: sts.amazonaws.com; a separate one for the role, "
        "such as aws:123456789012:etl, is better)",
    )
    _token(parser, "write the policy that admits only the bearer of this token")
    parser.add_argument(
        "--format", choices=_FORMS, default="json", help="default: %(default)s, only the policy"
    )
    parser.add_argument(
        "--name",
        default="etl",
        help="name of the role, in the other formats (default: %(default)s)",
    )


def _add_issuer(parser: argparse.ArgumentParser) -> None:
    """Declare the options for a cluster's own issuer."""
    parser.add_argument(
        "--issuer", metavar="URL", help="OIDC issuer of a cluster, instead of Google"
    )
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        help="with --issuer: system:serviceaccount:NAMESPACE:NAME; may be repeated",
    )
    _account(parser, "AWS account of the role, with --issuer")
    parser.add_argument(
        "--partition", default="aws", help="partition of the account: aws, aws-cn, aws-us-gov, ..."
    )


def _check(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    given = parser.add_mutually_exclusive_group(required=True)
    _token(given, "the ID token")
    given.add_argument("--claims", metavar="FILE", help="claims of the token, as a JSON object")
    _account(parser, "AWS account of the role (default: any account in the policy)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _lint(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the policy, as JSON; - for standard input")


def _account(parser: argparse.ArgumentParser, summary: str) -> None:
    parser.add_argument("--account-id", metavar="DIGITS", help=summary)


def _token(parser: argparse._ActionsContainer, summary: str) -> None:
    parser.add_argument(
        "--token-file",
        "--token",
        metavar="FILE",
        help=f"{summary}: a file, or - for standard input. Do not pass the token itself: every "
        "user of the machine can see the arguments of a command",
    )


def run(options: argparse.Namespace) -> int:
    """Run the action."""
    from gcp_aws_bridge.exceptions import BridgeError

    actions = {"build": _run_build, "check": _run_check, "lint": _run_lint}
    try:
        return actions[options.action](options)
    except BridgeError as error:
        # Not 1, which means that the policy is valid but does not admit the token.
        print(f"gcp-aws-bridge: {error}", file=sys.stderr)
        return 2


def _run_build(options: argparse.Namespace) -> int:
    from gcp_aws_bridge import policy
    from gcp_aws_bridge.config import DEFAULT_AUDIENCE

    account = {"account_id": options.account_id, "partition": options.partition}
    if options.token_file is None:
        document = policy.build(
            audience=DEFAULT_AUDIENCE if options.audience is None else options.audience,
            service_accounts=options.service_account,
            key_file_emails=dict(map(_account_of, options.key_file)),
            issuer=options.issuer,
            subjects=options.subject,
            **account,
        )
    elif any(getattr(options, name) for name in _IN_TOKEN):
        others = ", ".join(f"--{name.replace('_', '-')}" for name in _IN_TOKEN)
        print(
            "gcp-aws-bridge trust-policy build: the token of --token-file replaces these options: "
            f"{others}",
            file=sys.stderr,
        )
        return 2
    else:
        statement = policy.statement_for(_claims_in(options.token_file), **account)
        document = policy.policy_of(statement)
    print(policy.render(document, options.format, name=options.name), end="")
    return 0


def _run_check(options: argparse.Namespace) -> int:
    from gcp_aws_bridge import policy

    if options.file == "-" == (options.token_file or options.claims):
        print("gcp-aws-bridge trust-policy check: only one input can be -", file=sys.stderr)
        return 2
    if options.token_file is None:
        claims = _json(_read(options.claims), options.claims)
    else:
        claims = _claims_in(options.token_file)
    decision = policy.evaluate(_read(options.file), claims, account_id=options.account_id)
    if options.json:
        from dataclasses import asdict

        print(json.dumps({**asdict(decision), "undetermined": decision.undetermined}, indent=2))
    else:
        print(decision)
    return 0 if decision.allowed else 1


def _run_lint(options: argparse.Namespace) -> int:
    from gcp_aws_bridge import policy

    findings = policy.lint(_read(options.file))
    if options.json:
        from dataclasses import asdict

        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
    return 1 if findings else 0


def _account_of(path: str) -> tuple[str, str]:
    """Return number and e-mail address of the account of a key file."""
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        key = json.loads(_read(path))
    except (ValueError, RecursionError):
        key = None
    number, email = (
        key.get(name) if isinstance(key, dict) and key.get("type") == "service_account" else None
        for name in ("client_id", "client_email")
    )
    if not isinstance(number, str) or not isinstance(email, str):
        raise ConfigError(
            f"{quoted(path)} is not the JSON key of a service account.",
            fix="pass the file that gcloud iam service-accounts keys create wrote.",
            error_id="config/input-file",
        )
    return number, email


def _claims_in(path: str) -> dict[str, Any]:
    """Return the claims of the token in a file, which may have expired."""
    from gcp_aws_bridge._tokens import id_token
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    if path.count(".") == 2 and path.startswith("eyJ"):
        raise ConfigError(
            "An ID token is on the command line, which every user of this machine can read.",
            fix="write it to a file and pass its name, or pipe it: gcp-aws-bridge token | "
            "gcp-aws-bridge trust-policy check POLICY --token-file -",
            error_id="config/token-on-command-line",
        )
    token = id_token.parse(_read(path), origin=f"The file {quoted(path)}")
    return id_token.claims_of(token)


def _json(text: str, path: str) -> Any:
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{quoted(path)} is not JSON.",
            fix="pass the claims of an ID token as a JSON object; for a token, use --token-file.",
            error_id="config/claims",
        ) from None


def _read(path: str) -> str:
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        # The number of standard input, for the same decoding; utf-8-sig: some editors add a BOM.
        with open(0 if path == "-" else path, encoding="utf-8-sig", closefd=path != "-") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        problem = str(error.strerror)
    except ValueError:
        problem = "it is not UTF-8 text"
    else:
        if len(text) <= _MOST_CHARACTERS:
            return text
        problem = f"it has more than {_MOST_CHARACTERS:,} characters"
    raise ConfigError(
        f"{quoted(path)} cannot be read: {problem}.",
        fix="pass a file, or - for standard input.",
        error_id="config/input-file",
    )
