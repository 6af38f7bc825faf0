"""`gcp-aws-bridge env`: print credentials as variables, for a shell or an env file."""

from __future__ import annotations

import argparse

from gcp_aws_bridge.cli import _cached
from gcp_aws_bridge.cli._shells import SHELLS, default_shell


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        'Print credentials as variables: eval "$(gcp-aws-bridge env)". They expire within an hour '
        "and are not refreshed; `gcp-aws-bridge exec -- COMMAND` refreshes them while it runs."
    )
    _cached.add_options(parser)
    parser.add_argument(
        "--shell",
        choices=sorted(SHELLS),
        default=default_shell(),
        help="output format (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the variables."""
    found = _cached.credentials(options)
    variables = {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
        "AWS_CREDENTIAL_EXPIRATION": found["Expiration"],
    }
    print(SHELLS[options.shell](variables))
    return 0
