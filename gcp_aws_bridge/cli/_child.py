"""Running a command: what `exec`, `google-exec` and `run` share."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli._serving import need_extra, on_stderr
from gcp_aws_bridge.cli._signals import forwarded
from gcp_aws_bridge.exceptions import quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.server.asgi import App

    # An application, and the environment of the command by the URL of the application.
    Server = tuple[App, Callable[[str], Mapping[str, str]]]


def add_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the command after `--`, for our subcommand *name*."""
    parser.usage = f"gcp-aws-bridge {name} [options] -- COMMAND [ARGUMENT ...]"
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run_beside(
    options: argparse.Namespace,
    name: str,
    server: Callable[[argparse.Namespace], AbstractContextManager[Server]],
) -> int:
    """Run the command of *options* with a server that lives as long as the command.

    Args:
        options: Parsed command line.
        name: Our subcommand, for messages.
        server: Returns the application to serve and the environment of the command.

    Returns:
        The exit status of the command; 128 plus the number of the signal that ended it; 126 or 127
        as in a shell if the command cannot be run.
    """
    command = command_of(options, name)
    if isinstance(command, int):
        return command
    need_extra()
    from gcp_aws_bridge.server.running import Address, running

    with server(options) as (app, environment):
        # No grace period: the only client is the command, which has ended by then.
        serving = running((Address("127.0.0.1", 0), app), grace_s=0)
        with serving as [url], on_stderr("gcp-aws-bridge: %(message)s", {}):
            return run_until_end(command, environment(url), name)


def command_of(options: argparse.Namespace, name: str) -> list[str] | int:
    """Return the command with the path of its program, or the exit status of an error."""
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
    # Some SDKs (such as the one for Rust) would send the requests to this process, and with them
    # the secrets, through a proxy.
    for name in ("NO_PROXY", "no_proxy"):
        value = environ.get(name) or environ.get("NO_PROXY") or environ.get("no_proxy") or ""
        kept[name] = _with_loopback(value)
    return kept


def _with_loopback(no_proxy: str) -> str:
    """Return *no_proxy* with 127.0.0.1 excluded as well."""
    # "*" excludes every host only as the whole value (CPython's urllib, curl's manual page): with
    # anything after it, the program would use the proxy for all hosts.
    if no_proxy.strip() == "*":
        return no_proxy
    return f"{no_proxy},127.0.0.1".lstrip(",")


def run_until_end(command: list[str], environment: Mapping[str, str], name: str) -> int:
    """Run *command*, forward signals to it, and return its exit status as `run_beside` does."""
    with forwarded() as forward_to:
        try:
            child = subprocess.Popen(command, env=dict(environment))  # noqa: S603
        except OSError as error:
            return not_run(command, error, name)
        forward_to(child)
        status = _wait(child)
    return 128 - status if status < 0 else status


def not_run(command: list[str], error: OSError, name: str) -> int:
    """Print why the command could not be started, and return the exit status."""
    print(f"gcp-aws-bridge {name}: {quoted(command[0])}: {error.strerror}", file=sys.stderr)
    return 126


def _wait(child: subprocess.Popen[bytes]) -> int:
    if os.name != "posix" or os.getpid() != 1:
        return child.wait()
    # The first process of a container must also reap orphaned processes.
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode
