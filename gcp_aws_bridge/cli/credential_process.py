"""`gcp-aws-bridge credential-process`: for the AWS CLI and SDKs, with a line in the AWS config.

    [profile etl]
    credential_process = gcp-aws-bridge credential-process --role-arn arn:aws:iam::…:role/etl

See: AWS SDKs and Tools reference, "Process credential provider", for the format of the output.
"""

from __future__ import annotations

import argparse
import json

from gcp_aws_bridge.cli import _cached


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print credentials in the format of the setting credential_process of an AWS profile. They "
        "are kept in a file that this user's processes share, and refreshed before they expire."
    )
    _cached.add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print the credentials."""
    print(json.dumps({"Version": 1, **_cached.credentials(options)}))
    return 0
