"""`gcp-aws-bridge google-config`: write a credential configuration file for Google's libraries."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli import _google_options
from gcp_aws_bridge.cli._setup_files import put, say

if TYPE_CHECKING:
    from typing import Any

_NOTES = {
    "signed-request": (
        "Google's libraries support only AWS keys in the environment (Lambda) and from EC2's "
        "metadata service. With EKS Pod Identity, IRSA, ECS, SSO or a profile, use gcp-aws-bridge "
        "google-exec or google-serve instead of this file."
    ),
    "token-file": (
        "Google's libraries read the token for each exchange. It must be for an OIDC provider "
        "that trusts the issuer of the token; no AWS identity is needed."
    ),
    "outbound": (
        "Google's libraries run this command, but only if "
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 is set: {command}"
    ),
}
_READ_BY = (
    "Set GOOGLE_APPLICATION_CREDENTIALS to the file: google-auth (Python), Go, Java, JavaScript, "
    "gcloud auth login --cred-file, and google.credentials() of this library read it."
)
_SPLIT = "Its path has characters that the libraries for Go and Java do not support: see --command."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write the JSON file for GOOGLE_APPLICATION_CREDENTIALS, as gcloud iam "
        "workload-identity-pools create-cred-config does. It contains no secret."
    )
    _google_options.add_federation(parser)
    parser.add_argument("--quota-project", metavar="ID", help="project that requests are billed to")
    parser.add_argument(
        "--universe-domain", help="universe domain of the cloud (default: googleapis.com)"
    )
    parser.add_argument(
        "--command",
        metavar="PATH",
        help="with --source outbound: path of gcp-aws-bridge where the file is used (default: the "
        "path of this program)",
    )
    parser.add_argument("--output", metavar="FILE", help="default: standard output")


def run(options: argparse.Namespace) -> int:
    """Print the configuration, or write it to a file."""
    from gcp_aws_bridge.google._configuration import configuration

    federation, _ = _google_options.federation_of(options, universe_domain=options.universe_domain)
    name = _source(options)
    source = _credential_source(name, options)
    text = json.dumps(configuration(federation, source, options.quota_project), indent=2) + "\n"
    if options.output is None:
        put({"": text}, None)
    else:
        folder, file = os.path.split(options.output)
        put({file: text}, folder or ".")
    command = source.get("executable", {}).get("command", "")
    say(_READ_BY)
    say(_NOTES[name].format(command=command))
    if command.startswith('"'):
        say(_SPLIT)
    return 0


def _source(options: argparse.Namespace) -> str:
    from gcp_aws_bridge.google._sources import unknown

    named = _google_options.source_name(options) or os.environ.get("GCP_AWS_BRIDGE_GOOGLE_SOURCE")
    if named and named not in _NOTES:
        raise unknown(named)
    return named or "signed-request"


def _credential_source(name: str, options: argparse.Namespace) -> dict[str, Any]:
    from gcp_aws_bridge.google import _configuration
    from gcp_aws_bridge.google._sources import token_file

    if name == "outbound":
        return _configuration.of_command(options.command or _program())
    if name == "token-file":
        return _configuration.of_file(token_file(options.token_file))
    return _configuration.of_aws()


def _program() -> str:
    """Return the absolute path of this command, for readers of the file with another PATH."""
    import shutil

    name = "gcp-aws-bridge"
    beside = shutil.which(name, path=os.path.dirname(sys.executable))
    return os.path.abspath(beside or shutil.which(name) or name)
