"""`gcp-aws-bridge env`: credentials as variables, for a shell or a file of variables."""

from __future__ import annotations

import argparse

from gcp_aws_bridge.cli import _cached
from gcp_aws_bridge.cli._shells import SHELLS, default_shell


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        'Print credentials as variables: eval "$(gcp-aws-bridge env)". They end within the hour '
        "and are not renewed; `gcp-aws-bridge exec -- COMMAND` renews them for as long as it runs."
    )
    _cached.add_options(parser)
    parser.add_argument(
        "--shell",
        choices=sorted(SHELLS),
        default=default_shell(),
        help="the form (default: %(default)s)",
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
