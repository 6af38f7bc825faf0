"""`gcp-aws-bridge exec -- COMMAND`: any program, with credentials that renew themselves.

The command is given the address of an endpoint that this process serves for as long as it lives.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any

from gcp_aws_bridge.cli import _child, _role_options
from gcp_aws_bridge.cli._serving import need_extra, on_stderr, roles_of, token_file
from gcp_aws_bridge.exceptions import ConfigError, quoted

# What SDKs look at before they look at the endpoint (AWS SDKs and Tools reference, "Standardized
# credential providers"): with any of these the command would be somebody else.
_COMES_FIRST = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_FILE"),  # Go's, and botocore's of old
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "gcp-aws-bridge exec [options] -- COMMAND [ARGUMENT ...]"
    parser.description = (
        "Run a command with AWS credentials that renew themselves, in whatever language it is "
        "written. Its exit status is this one's; signals are handed on to it."
    )
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    _child.add_command(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        Its exit status; 128 and the signal's number where one ended it; 126 and 127 as in a shell.
    """
    command = _child.command_of(options, "exec")
    if isinstance(command, int):
        return command
    need_extra()
    _need_nothing_in_the_way()
    from gcp_aws_bridge.server.asgi import application
    from gcp_aws_bridge.server.authorization import Authorization
    from gcp_aws_bridge.server.endpoint import PATH, endpoint
    from gcp_aws_bridge.server.running import Address, running

    roles = roles_of(options, [options.role_arn])
    with token_file() as path:
        authorization = Authorization(path)
        app = application(endpoint(roles, authorization))
        # Without grace: whoever asks is the command, which is over then.
        serving = running((Address("127.0.0.1", 0), app), grace_s=0)
        with serving as [url], on_stderr("gcp-aws-bridge: %(message)s", {}):
            for served in roles.values():
                served.cache.warm_up()  # the command takes a moment to start
            variables = {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": url + PATH,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(authorization.path),
                # Older SDKs know no file. It is of use on this machine, while the command runs.
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": authorization.token,
            }
            return _child.run(command, _environment(os.environ, variables), "exec")


def _environment(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    # Keys in this file come first, too; and without credentials an SDK would ask EC2's metadata
    # address, which on Google Cloud is Google's.
    return {
        **_child.without(environ, _COMES_FIRST),
        **variables,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _need_nothing_in_the_way() -> None:
    """Two files that come first cannot be taken away: one has the region, one is gsutil's, too.

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
            f"The profile default in {quoted(file)} has {' and '.join(found)}, which AWS SDKs look "
            "at before the endpoint of this command.",
            fix="give that profile a name, or set AWS_CONFIG_FILE to another file.",
            error_id="config/default-profile",
        )
    named = os.environ.get("BOTO_CONFIG")
    for file in BotoProvider.DEFAULT_CONFIG_FILENAMES if named is None else [named]:
        if "aws_access_key_id" in _section(raw_config_parse, file, "Credentials"):
            raise ConfigError(
                f"The section Credentials in {quoted(file)} has aws_access_key_id, which botocore "
                "looks at before the endpoint of this command.",
                fix=f"take the AWS keys out of that file, or set BOTO_CONFIG={os.devnull}.",
                error_id="config/boto-config",
            )


def _section(read: Callable[[str], Any], file: str, *path: str) -> Mapping[str, Any]:
    """What is there; nothing where there is no such file, or a broken one."""
    from botocore.exceptions import ConfigNotFound, ConfigParseError

    try:
        found: Mapping[str, Any] = read(file)
    except (ConfigNotFound, ConfigParseError):
        return {}
    for name in path:
        found = found.get(name, {})
    return found
