"""`gcp-aws-bridge run -- COMMAND`: run a Python program with `install()`, without changing it.

Adds a folder with a `sitecustomize` module to PYTHONPATH, as opentelemetry-instrument does, and
replaces this process with the program.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys

from gcp_aws_bridge.cli import _command, _role_options
from gcp_aws_bridge.cli._python_command import why_not_installed
from gcp_aws_bridge.exceptions import ConfigError

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_aws_bridge.config import Role

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_python_path")
# For each field of `Role`: the variable, which takes precedence over all other variables for it.
_VARIABLES = {
    "arn": "GCP_AWS_BRIDGE_ROLE_ARN",
    "audience": "GCP_AWS_BRIDGE_AUDIENCE",
    "role_session_name": "GCP_AWS_BRIDGE_ROLE_SESSION_NAME",
    "duration_seconds": "GCP_AWS_BRIDGE_DURATION_SECONDS",
    "chain": "GCP_AWS_BRIDGE_CHAIN",
}
# Python ignores these signals when it starts, and a program inherits that.
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Run a Python program whose AWS sessions have the role, also in Python processes that it "
        "starts, without changing the program. Its Python must have this library. For programs in "
        "other languages, use exec."
    )
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    parser.add_argument(
        "--google",
        action="store_true",
        help="let google.auth.default() return credentials of the AWS identity of this machine; "
        "then a role is not required",
    )
    _command.add_command(parser, "run")


def run(options: argparse.Namespace) -> int:
    """Replace this process with the program; on Windows, return the program's exit status."""
    command = _command.command_of(options, "run")
    if isinstance(command, int):
        return command
    if getattr(sys, "frozen", False):
        print(
            "gcp-aws-bridge run: install gcp-aws-bridge with pip to run a program", file=sys.stderr
        )
        return 1
    environment = _environment(options)
    for problem in filter(None, (why_not_installed(command), _keys_first(environment))):
        print(f"gcp-aws-bridge run: {problem}", file=sys.stderr)
    if os.name != "posix":  # there, the parent would end before the program
        from gcp_aws_bridge.cli import _child

        return _child.run_until_end(command, environment, "run")
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(ValueError):  # not the main thread
        for name in _IGNORED_BY_PYTHON:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execve(command[0], command, environment)  # noqa: S606 - the user's command
    except OSError as error:
        return _command.not_run(command, error, "run")


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the environment of the program.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    environ = {**os.environ, **_source_variables(options)}
    if options.region is not None:
        environ |= {"AWS_REGION": options.region, "AWS_DEFAULT_REGION": options.region}
    if options.profile is not None:
        environ.pop("AWS_DEFAULT_PROFILE", None)  # botocore reads it first
        environ["AWS_PROFILE"] = options.profile
        for variable in _VARIABLES.values():  # a named profile, and not the environment
            environ.pop(variable, None)
    role = _role_variables(options)
    environ |= role or {}
    path = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry != FOLDER]
    # Without empty entries at the end, which would be the working directory.
    environ["PYTHONPATH"] = os.pathsep.join([FOLDER, *([] if path == [""] else path)])
    if options.google:
        _require_provider()
    has_role = role is not None
    environ["GCP_AWS_BRIDGE_INSTALL"] = ",".join(["aws"] * has_role + ["google"] * options.google)
    return environ


def _require_provider() -> None:
    """Check the settings for Google.

    Raises:
        ConfigError: No workload identity provider is configured, or a setting is malformed.
    """
    from gcp_aws_bridge.google._federation import configured

    configured()


def _role_variables(options: argparse.Namespace) -> dict[str, str] | None:
    """Return the variables for the settings on the command line, or for all with --profile.

    Returns:
        None if no role is configured, which --google does not require.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    from gcp_aws_bridge import _settings

    settings = _role_options.role_settings(options)
    fields = _settings.given({"arn": options.role_arn, **settings})
    if options.profile is not None or (
        _settings.resolve(fields, environ=os.environ, profile={}) is None
    ):
        try:
            role = _in_profile(options)  # without --profile, the program reads the default one
        except ConfigError as error:
            if options.google and error.error_id == "config/no-role":
                return None
            raise
        if options.profile is not None:
            fields = {name: getattr(role, name) for name in _VARIABLES}
            fields["role_session_name"] = role.session_name
    return {_VARIABLES[name]: _text(value) for name, value in fields.items()}


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)


def _in_profile(options: argparse.Namespace) -> Role:
    """Return the role of the command line and the AWS profile.

    Raises:
        ConfigError: No role is configured, a setting is malformed, or there is no such profile.
    """
    import botocore.exceptions

    from gcp_aws_bridge._botocore.request import required_role
    from gcp_aws_bridge._sts.session_settings import no_profile

    try:
        session = _role_options.session_of(options)
        return required_role(session, options.role_arn, **_role_options.role_settings(options))
    except botocore.exceptions.ProfileNotFound as error:
        raise no_profile(error) from None


def _source_variables(options: argparse.Namespace) -> dict[str, str]:
    """Return the variables for the token source on the command line.

    Raises:
        ConfigError: The service account is malformed.
    """
    if options.id_token_file is not None:
        return {"GCP_AWS_BRIDGE_ID_TOKEN_FILE": os.path.abspath(options.id_token_file)}
    if options.impersonate is not None:
        from gcp_aws_bridge._tokens.service_account import require_service_account

        require_service_account(options.impersonate)
        return {"GCP_AWS_BRIDGE_IMPERSONATE": options.impersonate}
    return {}


def _keys_first(environment: Mapping[str, str]) -> str | None:
    from gcp_aws_bridge._settings import KEYS_FIRST

    has_role = environment["GCP_AWS_BRIDGE_INSTALL"] != "google"
    return KEYS_FIRST if has_role and environment.get("AWS_ACCESS_KEY_ID") else None
