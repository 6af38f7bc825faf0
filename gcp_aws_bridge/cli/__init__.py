"""`gcp-aws-bridge`: argparse here, one module a command, imported only when that command runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from gcp_aws_bridge._version import __version__

# Name, module, help line. The help line stands here so that `--help` imports no command.
_COMMANDS = (
    ("demo", "show the whole bridge at work on this machine, with no cloud"),
    ("emulate", "run an emulated GKE metadata server and AWS STS for tests and trying out"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 a clear error, 2 wrong usage, 130 interrupted.
    """
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


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gcp-aws-bridge",
        description="Google identity in, AWS credentials out: no keys, no subprocess, no AWS CLI.",
        epilog="Start with: gcp-aws-bridge demo",
    )
    parser.add_argument("--version", action="version", version=f"gcp-aws-bridge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in _COMMANDS:
        command = commands.add_parser(name, help=summary, description=f"{summary}.")
        if name == wanted:
            module = importlib.import_module(f"gcp_aws_bridge.cli.{name.replace('-', '_')}")
            module.configure(command)
            command.set_defaults(run=module.run)
    return parser
