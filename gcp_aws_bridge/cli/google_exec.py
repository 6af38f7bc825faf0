"""`gcp-aws-bridge google-exec -- COMMAND`: any program, with Google's tokens that renew themselves.

The command is told of a metadata server that this process is for as long as it lives.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge.cli import _child, _google_serving
from gcp_aws_bridge.cli._serving import need_extra, on_stderr
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.cache import CredentialCache

# What SDKs look at before the metadata server, or in its place ("Application Default Credentials";
# gcloud topic configurations: auth/…; Terraform's provider: "Authentication Configuration").
_COMES_FIRST = (
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH", "NO_GCE_CHECK"),
    *("GCE_METADATA_MTLS_MODE", "METADATA_SERVER_DETECTION", "CLOUDSDK_CORE_CHECK_GCE_METADATA"),
    *("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"),
    *("GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON"),
    *("GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
)
_HEAD_START_S = 5.0
_OF_A_USER = "application_default_credentials.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "gcp-aws-bridge google-exec [options] -- COMMAND [ARGUMENT ...]"
    parser.description = (
        "Run a command whose Google Cloud SDK, in whatever language, finds this machine's AWS "
        "identity as a service account, with tokens that renew themselves. Its exit status is "
        "this one's; signals are handed on to it."
    )
    _google_serving.add_options(parser)
    _child.add_command(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        Its exit status; 128 and the signal's number where one ended it; 126 and 127 as in a shell.
    """
    command = _child.command_of(options, "google-exec")
    if isinstance(command, int):
        return command
    need_extra()
    of_gcloud, own = _folders(os.environ)
    _need_no_login_in(of_gcloud, own)
    from gcp_aws_bridge.server.asgi import application
    from gcp_aws_bridge.server.metadata import metadata
    from gcp_aws_bridge.server.running import Address, running

    account = _google_serving.account_of(options)
    app = application(metadata(account))
    # Without grace: whoever asks is the command, which is over then.
    serving = running((Address("127.0.0.1", 0), app), grace_s=0)
    with serving as [url], on_stderr("gcp-aws-bridge: %(message)s", {}):
        _head_start(account.access(account.scopes))
        environment = {
            **_child.without(os.environ, _COMES_FIRST),
            **_google_serving.variables(url),
            # Else gcloud is whoever was logged in with it here.
            "CLOUDSDK_CORE_ACCOUNT": account.email,
        }
        with contextlib.suppress(OSError), private_file.Folder(of_gcloud) as folder:
            # Where gcloud has it for ten minutes that there was no server (its gce_cache.py).
            folder.discard("gce")
        return _child.run(command, environment, "google-exec")


def _head_start(cache: CredentialCache[Any]) -> None:
    """Wait for the first attempt, which loads botocore, before the command starts.

    Google's library for JavaScript asks once whether there is a metadata server, and takes one that
    does not answer within three seconds for absent. An error is logged, and told to each client.
    """
    cache.warm_up(within_s=_HEAD_START_S)


def _folders(environ: Mapping[str, str]) -> tuple[str, str]:
    """Where gcloud keeps what it knows, and where it would unless told otherwise."""
    appdata = environ.get("APPDATA") if os.name == "nt" else None
    own = os.path.join(appdata or os.path.expanduser(os.path.join("~", ".config")), "gcloud")
    return environ.get("CLOUDSDK_CONFIG") or own, own


def _need_no_login_in(*folders: str) -> None:
    """A developer's own login comes first, and cannot be taken away: it is gcloud's, too.

    Raises:
        ConfigError: There is one.
    """
    for folder in folders:
        path = os.path.join(folder, _OF_A_USER)
        if os.path.exists(path):
            raise ConfigError(
                f"{quoted(path)} has credentials, which Google's SDKs look at before the metadata "
                "server of this command.",
                fix="gcloud auth application-default revoke, or run the command with another HOME.",
                error_id="config/google-default-file",
            )
