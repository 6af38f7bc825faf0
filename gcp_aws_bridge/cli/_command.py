"""The command after `--`, which `exec`, `google-exec` and `run` start. Imports little."""

from __future__ import annotations

import argparse
import os
import sys

from gcp_aws_bridge.exceptions import quoted


def add_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the command after `--`, for our subcommand *name*."""
    parser.usage = f"gcp-aws-bridge {name} [options] -- COMMAND [ARGUMENT ...]"
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def command_of(options: argparse.Namespace, name: str) -> list[str] | int:
    """Return the command with the path of its program, or the exit status of an error."""
    command: list[str] = options.command
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        print(f"gcp-aws-bridge {name}: no command: {name} -- COMMAND", file=sys.stderr)
        return 2
    found = _which(command[0])
    if found is None:
        exists = os.path.exists(command[0])
        what = "cannot be run" if exists else "not found"
        print(f"gcp-aws-bridge {name}: {quoted(command[0])}: {what}", file=sys.stderr)
        return 126 if exists else 127
    return [found, *command[1:]]


def _which(name: str) -> str | None:
    """Return the path of a program as `shutil.which` does, whose import takes longer than this."""
    if os.name != "posix":
        import shutil

        return shutil.which(name)
    folders = [""] if os.sep in name else os.get_exec_path()
    paths = (os.path.join(folder, name) for folder in folders)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def not_run(command: list[str], error: OSError, name: str) -> int:
    """Print why the command could not be started, and return the exit status."""
    print(f"gcp-aws-bridge {name}: {quoted(command[0])}: {error.strerror}", file=sys.stderr)
    return 126
