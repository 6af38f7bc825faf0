"""`gcp-aws-bridge credential-process`: for the AWS CLI and every SDK, by a line in the AWS config.

    [profile etl]
    credential_process = gcp-aws-bridge credential-process --role-arn arn:aws:iam::…:role/etl

AWS SDKs and Tools reference, "Process credential provider", has the form of the answer.
"""

from __future__ import annotations

import argparse
import json

from gcp_aws_bridge.cli import _cached


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print credentials as the setting credential_process of an AWS profile wants them. They "
        "are kept in a file that this user's processes share, and renewed ahead of their end."
    )
    _cached.add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print the answer."""
    print(json.dumps({"Version": 1, **_cached.credentials(options)}))
    return 0
