"""`gcp-aws-bridge trust-policy`: write a role's trust policy, explain one, find what is wrong."""

from __future__ import annotations

import argparse
import json
import sys

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any

# Far more than any policy or token has.
_MOST_CHARACTERS = 1_000_000
_FORMS = ("json", "terraform", "cloudformation")
_SAID_BY_TOKEN = ("service_account", "key_file", "issuer", "subject", "audience")
_STATUS = "Exit status: 0 {0}; 2 bad input or wrong usage."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare what it can do."""
    parser.description = (
        "Write the trust policy of a role, say what one does with a token and why, or find what is "
        "wrong with one. Asks neither cloud."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    for name, summary, status, declare in (
        ("build", "write the policy that admits exactly these accounts", "written", _build),
        ("check", "say whether a policy admits a token", "admitted, 1 refused or in doubt", _check),
        ("lint", "find what a policy lets in or keeps out by mistake", "nothing, 1 found", _lint),
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
        help="a Google service account whose tokens come from the metadata server or by "
        "impersonation, by its 21 digits (gcloud iam service-accounts describe EMAIL "
        "--format='value(uniqueId)'); may be repeated",
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        action="append",
        default=[],
        help="a service account's JSON key, whose tokens have the account's e-mail for azp; its "
        "client_id and client_email are read, and no more; may be repeated",
    )
    parser.add_argument(
        "--issuer", metavar="URL", help="a cluster's own OIDC issuer, instead of Google"
    )
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        help="with --issuer: system:serviceaccount:NAMESPACE:NAME; may be repeated",
    )
    _account(parser, "the AWS account of the role, with --issuer")
    parser.add_argument(
        "--partition", default="aws", help="of that account: aws, aws-cn, aws-us-gov, ..."
    )
    parser.add_argument(
        "--audience",
        help="what ID tokens are asked for (default: sts.amazonaws.com; one of the role's own, "
        "such as aws:123456789012:etl, is better)",
    )
    _token(parser, "write what admits the bearer of this token, and no other")
    parser.add_argument(
        "--format", choices=_FORMS, default="json", help="default: %(default)s, the policy alone"
    )
    parser.add_argument(
        "--name", default="etl", help="of the role, in the other forms (default: %(default)s)"
    )


def _check(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    given = parser.add_mutually_exclusive_group(required=True)
    _token(given, "the ID token")
    given.add_argument("--claims", metavar="FILE", help="its claims, as a JSON object")
    _account(parser, "the AWS account of the role (default: any that the policy names)")
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
        help=f"{summary}: the file that has it, or - for standard input. Not the token itself: "
        "every user of a machine sees the arguments of a command",
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    from gcp_aws_bridge.exceptions import BridgeError

    actions = {"build": _run_build, "check": _run_check, "lint": _run_lint}
    try:
        return actions[options.action](options)
    except BridgeError as error:
        # Not 1: a policy that refuses is an answer, and a policy that is none is not.
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
    elif any(getattr(options, name) for name in _SAID_BY_TOKEN):
        others = ", ".join(f"--{name.replace('_', '-')}" for name in _SAID_BY_TOKEN)
        print(
            "gcp-aws-bridge trust-policy build: --token-file says who and for whom; leave out "
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
        print("gcp-aws-bridge trust-policy check: one of them from standard input", file=sys.stderr)
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
    """Return the number and the e-mail of the account that a key file is of."""
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
            fix="give the file that gcloud iam service-accounts keys create wrote.",
            error_id="config/input-file",
        )
    return number, email


def _claims_in(path: str) -> dict[str, Any]:
    """The claims of the token in a file; of one whose time has run out, too."""
    from gcp_aws_bridge._tokens import id_token
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    if path.count(".") == 2 and path.startswith("eyJ"):
        raise ConfigError(
            "An ID token is on the command line, where every user of this machine can read it.",
            fix="write it to a file and name that, or pipe it: gcp-aws-bridge token | "
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
            fix="give the claims of an ID token as a JSON object; a token goes by --token-file.",
            error_id="config/claims",
        ) from None


def _read(path: str) -> str:
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    try:
        # By number, so that the text is read alike from both; utf-8-sig: some editors mark it.
        with open(0 if path == "-" else path, encoding="utf-8-sig", closefd=path != "-") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        problem = str(error.strerror)
    except ValueError:
        problem = "it is not text in UTF-8"
    else:
        if len(text) <= _MOST_CHARACTERS:
            return text
        problem = f"it has more than {_MOST_CHARACTERS:,} characters"
    raise ConfigError(
        f"{quoted(path)} cannot be read: {problem}.",
        fix="name a file, or - for standard input.",
        error_id="config/input-file",
    )
