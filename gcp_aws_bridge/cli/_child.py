"""A program that a command of ours runs: what it is started with, told, and how it ends."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from gcp_aws_bridge.cli._signals import handed_on
from gcp_aws_bridge.exceptions import quoted


def add_command(parser: argparse.ArgumentParser) -> None:
    """Everything after the options is the program's."""
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def command_of(options: argparse.Namespace, name: str) -> list[str] | int:
    """The program, by its path, and its arguments; for this command of ours, *name*.

    Returns:
        They; or, where it cannot be run, the exit status that says so in a shell: it was said why.
    """
    command: list[str] = options.command
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        print(f"gcp-aws-bridge {name}: no command: {name} -- COMMAND", file=sys.stderr)
        return 2
    found = shutil.which(command[0])
    if found is None:
        exists = Path(command[0]).exists()
        what = "cannot be run" if exists else "not found"
        print(f"gcp-aws-bridge {name}: {quoted(command[0])}: {what}", file=sys.stderr)
        return 126 if exists else 127
    return [found, *command[1:]]


def without(environ: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return *environ* without *names*, and with loopback excluded from proxies."""
    kept = {name: value for name, value in environ.items() if name not in names}
    # Some SDKs (for Rust, for example) would use a proxy for the endpoint of this process, and
    # show it the secrets.
    for name in ("NO_PROXY", "no_proxy"):
        value = environ.get(name) or environ.get("NO_PROXY") or environ.get("no_proxy") or ""
        kept[name] = _with_loopback(value)
    return kept


def _with_loopback(no_proxy: str) -> str:
    """Return *no_proxy* with 127.0.0.1 excluded, too."""
    # "*" excludes every host only as the whole value (CPython's urllib, curl's manual page): with
    # anything after it, the program would use the proxy for all hosts.
    if no_proxy.strip() == "*":
        return no_proxy
    return f"{no_proxy},127.0.0.1".lstrip(",")


def run(command: list[str], environment: Mapping[str, str], name: str) -> int:
    """Run what `command_of` found to its end, in the name of this command.

    Returns:
        Its exit status; 128 and the signal's number where one ended it; 126 where none can.
    """
    with handed_on() as hand_to:
        try:
            child = subprocess.Popen(command, env=dict(environment))  # noqa: S603
        except OSError as error:
            print(f"gcp-aws-bridge {name}: {quoted(command[0])}: {error.strerror}", file=sys.stderr)
            return 126
        hand_to(child)
        status = _wait(child)
    return 128 - status if status < 0 else status


def _wait(child: subprocess.Popen[bytes]) -> int:
    if os.name != "posix" or os.getpid() != 1:
        return child.wait()
    # As the first process of a container, orphans are ours to bury.
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode
