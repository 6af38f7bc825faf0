"""Running a command beside a server on loopback: what `exec` and `google-exec` share."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gcp_aws_bridge.cli._command import command_of, not_run
from gcp_aws_bridge.cli._serving import need_extra, on_stderr
from gcp_aws_bridge.cli._signals import forwarded

if TYPE_CHECKING:
    from gcp_aws_bridge.server.asgi import App

    # An application, and the environment of the command by the URL of the application.
    Server = tuple[App, Callable[[str], Mapping[str, str]]]


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
        serving = running((Address(None, 0), app), grace_s=0)
        with serving as [url], on_stderr("gcp-aws-bridge: %(message)s", {}):
            return run_until_end(command, environment(url), name)


def without(environ: Mapping[str, str], names: Collection[str], url: str) -> dict[str, str]:
    """Return *environ* without *names*, and with the host of *url* excluded from proxies."""
    kept = {name: value for name, value in environ.items() if name not in names}
    # Some SDKs (such as the one for Rust) would send the requests to this process, and with them
    # the secrets, through a proxy.
    for name in ("NO_PROXY", "no_proxy"):
        value = environ.get(name) or environ.get("NO_PROXY") or environ.get("no_proxy") or ""
        kept[name] = _with_host(value, urlsplit(url).hostname or "")
    return kept


def _with_host(no_proxy: str, host: str) -> str:
    """Return *no_proxy* with *host* excluded as well."""
    # "*" excludes every host only as the whole value (CPython's urllib, curl's manual page): with
    # anything after it, the program would use the proxy for all hosts.
    if no_proxy.strip() == "*":
        return no_proxy
    # CPython's urllib and botocore compare an IPv6 address with brackets; requests, curl, Go's and
    # Rust's libraries without.
    forms = f"{host},[{host}]" if ":" in host else host
    return f"{no_proxy},{forms}".lstrip(",")


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


def _wait(child: subprocess.Popen[bytes]) -> int:
    if os.name != "posix" or os.getpid() != 1:
        return child.wait()
    # The first process of a container must also reap orphaned processes.
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode
