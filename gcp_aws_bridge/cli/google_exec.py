"""`gcp-aws-bridge google-exec -- COMMAND`: run a program with Google tokens that are refreshed.

The program finds the metadata server of this process, which runs as long as the program.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge.cli import _child, _command, _google_options
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.cli._child import Server

# Variables that SDKs use before the metadata server ("Application Default Credentials"; gcloud
# topic configurations: auth/…; Terraform's provider: "Authentication Configuration").
_HIGHER_PRECEDENCE = (
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH", "NO_GCE_CHECK"),
    *("GCE_METADATA_MTLS_MODE", "METADATA_SERVER_DETECTION", "CLOUDSDK_CORE_CHECK_GCE_METADATA"),
    *("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"),
    *("GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON"),
    *("GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
)
# Google's library for JavaScript checks once whether there is a metadata server, and gives up after
# three seconds without an answer. The first exchange, which loads botocore, may take longer.
_HEAD_START_S = 5.0
_LOGIN_FILE = "application_default_credentials.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Run a command, in any language, whose Google Cloud SDK finds this machine's AWS identity "
        "as a service account, with tokens that are refreshed for as long as it runs. The exit "
        "status is that of the command; signals are forwarded to it."
    )
    _google_options.add_server(parser)
    _command.add_command(parser, "google-exec")


def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit status."""
    return _child.run_beside(options, "google-exec", _server)


@contextlib.contextmanager
def _server(options: argparse.Namespace) -> Iterator[Server]:
    from gcp_aws_bridge.server.asgi import application
    from gcp_aws_bridge.server.metadata import metadata

    gcloud, default = _folders(os.environ)
    _check_login(gcloud, default)
    account = _google_options.account_of(options)

    def environment(url: str) -> dict[str, str]:
        # An error is logged, and returned to each client.
        account.access(account.scopes).warm_up(within_s=_HEAD_START_S)
        with contextlib.suppress(OSError), private_file.Folder(gcloud) as folder:
            # gcloud remembers here for ten minutes that there was no server (its gce_cache.py).
            folder.discard("gce")
        return {
            **_child.without(os.environ, _HIGHER_PRECEDENCE, url),
            **_google_options.server_variables(url),
            # Otherwise, gcloud would use the account of its last login.
            "CLOUDSDK_CORE_ACCOUNT": account.email,
        }

    yield application(metadata(account)), environment


def _folders(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return gcloud's configuration folder, and its default."""
    appdata = environ.get("APPDATA") if os.name == "nt" else None
    default = os.path.join(appdata or os.path.expanduser(os.path.join("~", ".config")), "gcloud")
    return environ.get("CLOUDSDK_CONFIG") or default, default


def _check_login(*folders: str) -> None:
    """Check that there is no login of a developer, which cannot be hidden because gcloud uses it.

    Raises:
        ConfigError: There is one.
    """
    for folder in folders:
        path = os.path.join(folder, _LOGIN_FILE)
        if os.path.exists(path):
            raise ConfigError(
                f"{quoted(path)} has credentials, which Google's SDKs use before the metadata "
                "server of this command.",
                fix="gcloud auth application-default revoke, or run the command with another HOME.",
                error_id="config/google-default-file",
            )
