"""`gcp-aws-bridge`: argparse here, one module a command, imported only when that command runs."""

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

    # Commands are imported by name, each when it runs. These lines are never executed: programs
    # that freeze an application (PyInstaller) read them in the compiled module and add the modules.
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
        serve,
        setup,
        token,
        trust_policy,
    )

# Name, module, help line. The help line stands here so that `--help` imports no command.
_COMMANDS = (
    ("credential-process", "credentials for the AWS CLI and every SDK, by the AWS config file"),
    ("env", "credentials as variables of a shell"),
    ("token", "the ID token itself, printed or kept fresh in a file"),
    ("exec", "run a command of any language with credentials that renew themselves"),
    ("serve", "serve credentials on this machine: a sidecar for every AWS SDK"),
    ("google-token", "the other direction: a Google token for this machine's AWS identity"),
    ("google-config", "the credential configuration file of Google's own libraries"),
    ("google-exec", "run a command whose Google SDK finds tokens that renew themselves"),
    ("google-serve", "a metadata server on this machine: a sidecar for every Google SDK"),
    ("setup", "write what to run in both clouds, compare what is there, or rewrite a manifest"),
    ("trust-policy", "write, explain and check the trust policy of a role"),
    ("doctor", "name the broken link between Google and AWS, and what mends it"),
    ("explain", "what an error id means and what to do about it, without a network"),
    ("demo", "show the whole bridge at work on this machine, with no cloud"),
    ("emulate", "run both clouds emulated, for tests and trying out"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 a clear error, 2 wrong usage, 130 interrupted, 141 the reader of
        standard output went away.
    """
    from gcp_aws_bridge.cli._streams import guarded

    return guarded(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    # The last collection finds what the end of the process frees anyway; with botocore loaded it
    # is a sixth of a short command's time.
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
    # From here: the frames of a command hold tokens and keys.
    try:
        raise failure
    finally:
        del failure


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    # argparse lays out something for each option, and asks shutil how wide the terminal is.
    asks_for_help = bool({"-h", "--help"} & set(arguments))
    layout: Any = argparse.HelpFormatter if asks_for_help else _plain
    parser = argparse.ArgumentParser(
        prog="gcp-aws-bridge",
        description="Google identity in, AWS credentials out: no keys, no subprocess, no AWS CLI.",
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
