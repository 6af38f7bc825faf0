"""`gcp-aws-bridge trust-policy`: write, explain and check the trust policy of a role."""

from __future__ import annotations

import argparse
import json
import sys

from gcp_aws_bridge.cli._policy_inputs import claims_from_json, claims_in, read_text
from gcp_aws_bridge.cli._request_options import add_request, request_of, without_chained

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from gcp_aws_bridge import policy

_FORMS = ("json", "terraform", "cloudformation")
_STATUS = "Exit status: 0 {0}; 2 bad input or wrong usage."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    parser.description = (
        "Write the trust policy of a role or of a chained role, explain whether a policy admits a "
        "token or a request, or find mistakes in a policy. Makes no requests."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    for name, summary, status, declare in (
        (
            "build",
            "write a policy that admits exactly these accounts, or the role before in a chain",
            "written",
            _build,
        ),
        (
            "permissions",
            "write the policy that allows a role to assume chained roles",
            "written",
            _permissions,
        ),
        (
            "check",
            "explain whether a policy admits a token or a request",
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
        "--from-annotations",
        metavar="FILE",
        help="write the policy for pods that get credentials from annotations: the manifest of "
        "their annotated Kubernetes service account, as JSON or YAML; - for standard input. The "
        "method google needs --service-account as well, cluster-token needs --issuer",
    )
    parser.add_argument(
        "--annotation-prefix",
        metavar="PREFIX",
        action="append",
        default=[],
        help="with --from-annotations: another prefix that the webhook reads, such as "
        "eks.amazonaws.com; may be repeated",
    )
    parser.add_argument(
        "--audience",
        help="audience of the ID tokens (default: sts.amazonaws.com; a separate one for the role, "
        "such as aws:123456789012:etl, is better)",
    )
    _token(parser, "write the policy that admits only the bearer of this token")
    _chained(parser, "write the policy of a chained role: the ARN of the role before it")
    _format(parser, "the role")


def _permissions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "role",
        metavar="ARN",
        nargs="+",
        help="a chained role; * as its account means all accounts",
    )
    add_request(parser)
    _format(parser, "the role that gets the policy")


def _format(parser: argparse.ArgumentParser, whose: str) -> None:
    parser.add_argument(
        "--format", choices=_FORMS, default="json", help="default: %(default)s, only the policy"
    )
    parser.add_argument(
        "--name",
        default="etl",
        help=f"name of {whose}, in the other formats (default: %(default)s)",
    )


def _chained(parser: argparse._ActionsContainer, summary: str) -> None:
    parser.add_argument("--chained", metavar="ARN", help=summary)
    add_request(parser)


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
    given.add_argument(
        "--chained",
        metavar="ARN",
        help="the policy is that of a chained role: the ARN of the role before it",
    )
    add_request(parser)
    parser.add_argument("--role-session-name", metavar="NAME", help="with --chained")
    _account(parser, "AWS account of the role (default: any account in the policy)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _lint(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _account(parser, "AWS account of the role: its own roles need no external ID")
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

    actions = {
        "build": _run_build,
        "permissions": _run_permissions,
        "check": _run_check,
        "lint": _run_lint,
    }
    try:
        return actions[options.action](options)
    except BridgeError as error:
        # Not 1, which means that the policy is valid but does not admit the token.
        print(f"gcp-aws-bridge: {error}", file=sys.stderr)
        return 2


def _run_build(options: argparse.Namespace) -> int:
    from gcp_aws_bridge import policy
    from gcp_aws_bridge.cli import _policy_build

    if problem := _policy_build.contradiction(options):
        print(f"gcp-aws-bridge trust-policy build: {problem}", file=sys.stderr)
        return 2
    document = _policy_build.document_for(options)
    print(policy.render(document, options.format, name=options.name), end="")
    return 0


def _run_permissions(options: argparse.Namespace) -> int:
    from gcp_aws_bridge import policy

    # The caller's ARN is not part of its own policy.
    request = request_of(options, f"arn:aws:iam::{'0' * 12}:role/any")
    document = policy.permissions_for(options.role, request)
    print(policy.render_permissions(document, options.format, name=options.name), end="")
    return 0


def _run_check(options: argparse.Namespace) -> int:
    problem = without_chained(options)
    if options.file == "-" == (options.token_file or options.claims):
        problem = "only one input can be -"
    if problem:
        print(f"gcp-aws-bridge trust-policy check: {problem}", file=sys.stderr)
        return 2
    decision = _decision(options)
    if options.json:
        from dataclasses import asdict

        print(json.dumps({**asdict(decision), "undetermined": decision.undetermined}, indent=2))
    else:
        print(decision)
    return 0 if decision.allowed else 1


def _decision(options: argparse.Namespace) -> policy.Decision:
    """Return the policy's decision about the request, the token or the claims.

    Raises:
        ConfigError: An input is not valid.
    """
    from gcp_aws_bridge import policy

    if options.chained is not None:
        request = request_of(options, options.chained)
        return policy.evaluate_chained(read_text(options.file), request)
    if options.token_file is None:
        claims = claims_from_json(read_text(options.claims), options.claims)
    else:
        claims = claims_in(options.token_file)
    return policy.evaluate(read_text(options.file), claims, account_id=options.account_id)


def _run_lint(options: argparse.Namespace) -> int:
    from gcp_aws_bridge import policy

    findings = policy.lint(read_text(options.file), account_id=options.account_id)
    if options.json:
        from dataclasses import asdict

        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
    return 1 if findings else 0
