"""`gcp-aws-bridge exec -- COMMAND`: run a program with credentials that are refreshed.

The program finds the endpoint of this process, which runs as long as the program.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge.cli import _child, _command, _role_options
from gcp_aws_bridge.cli._serving import caches_of, token_file
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.cli._child import Server

# Variables that SDKs use before the endpoint (AWS SDKs and Tools reference, "Standardized
# credential providers"): with any of these, the command would have another identity.
_HIGHER_PRECEDENCE = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CREDENTIAL_EXPIRATION"),
    # Used by the SDK for Go, and by old versions of botocore.
    *("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_FILE"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Run a command, in any language, with AWS credentials that are refreshed for as long as it "
        "runs. The exit status is that of the command; signals are forwarded to it."
    )
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    _command.add_command(parser, "exec")


def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit status."""
    return _child.run_beside(options, "exec", _server)


@contextlib.contextmanager
def _server(options: argparse.Namespace) -> Iterator[Server]:
    from gcp_aws_bridge.server.asgi import application
    from gcp_aws_bridge.server.authorization import Authorization
    from gcp_aws_bridge.server.endpoint import PATH, endpoint

    _check_files()
    caches = caches_of(options, [options.role_arn])
    with token_file() as path:
        authorization = Authorization(path)

        def environment(url: str) -> dict[str, str]:
            for cache in caches.values():
                cache.warm_up()  # while the command starts
            return {
                **_child.without(os.environ, _HIGHER_PRECEDENCE, url),
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": url + PATH,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(authorization.path),
                # For older SDKs, which do not read the file. The token is valid only on this
                # machine, and only while the command runs.
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": authorization.token,
                # Keys in this file have a higher precedence, too.
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                # Without credentials, an SDK would query EC2's metadata address, which on Google
                # Cloud is that of Google's metadata server.
                "AWS_EC2_METADATA_DISABLED": "true",
            }

        yield application(endpoint(caches, authorization)), environment


def _check_files() -> None:
    """Check that two files with a higher precedence than the endpoint contain no credentials.

    They cannot be hidden from the command: one contains the region, gsutil uses the other.

    Raises:
        ConfigError: One has credentials.
    """
    from botocore.configloader import load_config, raw_config_parse
    from botocore.credentials import BotoProvider

    file = os.environ.get("AWS_CONFIG_FILE") or os.path.join("~", ".aws", "config")
    own = {"aws_access_key_id", "credential_process", "login_session", "role_arn"}
    own |= {"sso_account_id", "sso_session"}
    found = sorted(own & _section(load_config, file, "profiles", "default").keys())
    if found:
        raise ConfigError(
            f"The profile default in {quoted(file)} has {' and '.join(found)}, which AWS SDKs use "
            "before the endpoint of this command.",
            fix="rename that profile, or set AWS_CONFIG_FILE to another file.",
            error_id="config/default-profile",
        )
    named = os.environ.get("BOTO_CONFIG")
    for file in BotoProvider.DEFAULT_CONFIG_FILENAMES if named is None else [named]:
        if "aws_access_key_id" in _section(raw_config_parse, file, "Credentials"):
            raise ConfigError(
                f"The section Credentials in {quoted(file)} has aws_access_key_id, which botocore "
                "uses before the endpoint of this command.",
                fix=f"remove the AWS keys from that file, or set BOTO_CONFIG={os.devnull}.",
                error_id="config/boto-config",
            )


def _section(read: Callable[[str], Any], file: str, *path: str) -> Mapping[str, Any]:
    """Return a section of a file; empty if the file does not exist or is invalid."""
    from botocore.exceptions import ConfigNotFound, ConfigParseError

    try:
        found: Mapping[str, Any] = read(file)
    except (ConfigNotFound, ConfigParseError):
        return {}
    for name in path:
        found = found.get(name, {})
    return found
