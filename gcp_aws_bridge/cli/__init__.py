"""Command line `gcp-aws-bridge`. Each command is a module that is imported only when it runs."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import sys

from gcp_aws_bridge._version import __version__

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    # Commands are imported by name when they run. These lines are never executed: tools that freeze
    # an application (PyInstaller) find them in the compiled module and add the modules.
    from gcp_aws_bridge.cli import (  # noqa: F401
        credential_process,
        demo,
        doctor,
        emulate,
        env,
        exec,
        explain,
        google_config,
        google_exec,
        google_serve,
        google_token,
        inject,
        run,
        serve,
        setup,
        token,
        trust_policy,
        webhook,
    )

# Name and help line of each command, so that `--help` imports no command.
_COMMANDS = (
    (
        "credential-process",
        "print credentials for the AWS CLI and SDKs, for a line in the AWS config file",
    ),
    ("env", "print credentials as shell variables"),
    ("token", "print the Google ID token, or keep it fresh in a file"),
    ("run", "run a Python program whose AWS clients get credentials, without changing it"),
    ("exec", "run a command in any language with credentials that are refreshed"),
    ("serve", "serve credentials on this machine, as a sidecar for every AWS SDK"),
    ("google-token", "print a Google token for this machine's AWS identity"),
    ("google-config", "write the credential configuration file for Google's libraries"),
    ("google-exec", "run a command whose Google SDK finds tokens that are refreshed"),
    ("google-serve", "run a metadata server on this machine, as a sidecar for every Google SDK"),
    ("setup", "write scripts or Terraform for both clouds, compare them, or rewrite a manifest"),
    ("inject", "give the pods in a manifest credentials, as their annotations request"),
    ("webhook", "give pods of a cluster credentials that annotations request"),
    ("trust-policy", "write, explain and check the trust policy of a role"),
    ("doctor", "find the step between Google and AWS that fails, and print the fix"),
    ("explain", "explain an error id, offline"),
    ("demo", "demonstrate an exchange on this machine, without a cloud"),
    ("emulate", "run emulators of both clouds, for tests and experiments"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 an error with a message, 2 wrong usage, 130 interrupted, 141
        standard output was closed.
    """
    from gcp_aws_bridge.cli._streams import guarded

    return guarded(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    # The end of the process frees all objects. With botocore loaded, the last collection would take
    # a sixth of a short command's time.
    atexit.register(gc.freeze)
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments)
    options = parser.parse_args(arguments)
    from gcp_aws_bridge.exceptions import BridgeError

    try:
        return int(options.run(options))
    except BridgeError as error:
        print(f"gcp-aws-bridge: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException as error:  # noqa: BLE001 - raised below
        from gcp_aws_bridge._traceback import without_frames

        failure = without_frames(error)
    # Raised here, because the frames of a command contain tokens and keys.
    try:
        raise failure
    finally:
        del failure


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    # argparse formats each option, and imports shutil for the width of the terminal.
    asks_for_help = bool({"-h", "--help"} & set(arguments))
    layout: Any = argparse.HelpFormatter if asks_for_help else _plain
    parser = argparse.ArgumentParser(
        prog="gcp-aws-bridge",
        description="Exchange a Google identity for AWS credentials, without keys or the AWS CLI.",
        epilog="Start with: gcp-aws-bridge demo",
        formatter_class=layout,
    )
    parser.add_argument("--version", action="version", version=f"gcp-aws-bridge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    summaries = dict(_COMMANDS)
    for name in [wanted] if wanted in summaries else summaries:
        summary = summaries[name]
        command = commands.add_parser(
            name, help=summary, description=f"{summary}.", formatter_class=layout
        )
        if name == wanted:
            module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
            module.configure(command)
            command.set_defaults(run=module.run)
    return parser


def _plain(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=80)
