"""What the commands that serve share: the caches behind a server, what it needs, what it says."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge._cache.events import Event, on_event
from gcp_aws_bridge._cache.file_cache import NAME
from gcp_aws_bridge._extra import need
from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._shells import SHELLS, default_shell
from gcp_aws_bridge.cli._signals import told_to_stop
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.cache import CredentialCache
    from gcp_aws_bridge.server.asgi import Answer, Request
    from gcp_aws_bridge.server.endpoint import Served

_STATUS_PORT = 9912
_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"
_log = logging.getLogger("gcp_aws_bridge")


class Outages:
    """Logs each kind of failure once an outage, and its end: many SDKs show no error of ours.

    An `on_event` listener.
    """

    def __init__(self) -> None:
        self._said: dict[str, set[str]] = {}  # by role: error ids

    def __call__(self, event: Event) -> None:
        said = self._said.setdefault(event.label, set())
        if event.kind == "exchanged" and said:
            said.clear()
            # At the level of what it ends, so that who has read that reads this.
            _log.warning("%s: that is over; good for %.0f s", event.label, event.remaining_s)
        elif event.error is not None and event.error.error_id not in said:
            said.add(event.error.error_id)
            if event.remaining_s <= 0 or event.failures > 1:  # else `emit` has
                _log.warning("%s: no fresh credentials: %s", event.label, event.error)


@contextlib.contextmanager
def on_stderr(form: str, levels: Mapping[str, int]) -> Iterator[None]:
    """What the library says, and `Outages`, on stderr; *levels* of loggers until the end."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(form))
    before = {name: logging.getLogger(name).level for name in levels}
    _log.addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    stop = on_event(Outages())
    try:
        yield
    finally:
        stop()
        _log.removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def add_status(parser: argparse._ActionsContainer) -> None:
    """What a server says of itself."""
    parser.add_argument(
        "--status-port",
        type=int,
        metavar="PORT",
        help=f"serve /healthz, /readyz and /metrics there, {_STATUS_PORT} say (default: nowhere)",
    )
    parser.add_argument(
        "--status-host", default="127.0.0.1", help="0.0.0.0 for the kubelet (default: %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each request")
    parser.add_argument(
        "--shell",
        choices=sorted(SHELLS),
        default=default_shell(),
        help="form of the variables on standard output (default: %(default)s)",
    )


@contextlib.contextmanager
def served(
    options: argparse.Namespace,
    handle: Callable[[Request], Awaitable[Answer]],
    caches: Mapping[str, CredentialCache[Any]],
    hosts: frozenset[str] | None = None,
) -> Iterator[tuple[threading.Event, list[str]]]:
    """Serve what *handle* answers and, where *options* say so, how *caches* are.

    Yields:
        What is set when it is to end, and the addresses.

    Raises:
        ConfigError: An address cannot be listened on.
    """
    from gcp_aws_bridge.server.asgi import application
    from gcp_aws_bridge.server.running import Address, running
    from gcp_aws_bridge.server.status import Metrics, status

    metrics = Metrics(caches)
    answering = application(metrics.counting(handle), hosts=hosts)
    apps = [(Address(options.host, options.port), answering)]
    if options.status_port is not None:
        at = Address(options.status_host, options.status_port)
        apps.append((at, application(status(caches, metrics), hosts=hosts, log_all=False)))
    access = logging.WARNING if options.quiet else logging.INFO
    levels = {"gcp_aws_bridge": logging.INFO, "gcp_aws_bridge.access": access}
    with told_to_stop() as stop, on_stderr(_FORM, levels), running(*apps) as urls:
        forget = on_event(metrics)
        try:
            for cache in caches.values():
                cache.warm_up()
            yield stop, urls
        finally:
            forget()


@contextlib.contextmanager
def token_file() -> Iterator[str]:
    """Yield the path of a temporary file for a token; on exit, delete the file and its folder."""
    folder = os.path.join(tempfile.gettempdir(), f"{NAME}-{os.urandom(8).hex()}")
    path = os.path.join(folder, "token")
    try:
        private_file.Folder(folder, private=True).close()
    except OSError:
        # In a pod, /tmp may be an emptyDir, which all may write and which is not sticky: other
        # users could exchange a folder in it, but a file leads nowhere else.
        path = f"{folder}-token"
    try:
        yield path
    finally:
        private_file.discard(path)
        private_file.discard_folder(folder)


def announce(options: argparse.Namespace, variables: Mapping[str, str]) -> None:
    """Print the variables that a client needs, so that its shell can evaluate them."""
    print(SHELLS[options.shell](variables), flush=True)


def hint(text: str, urls: Sequence[str] = ()) -> None:
    """Print *text* and where the status is for people: standard output is for programs."""
    status = [f"Status: {url}/healthz, {url}/readyz, {url}/metrics" for url in urls[1:]]
    print(text, *status, sep="\n", file=sys.stderr, flush=True)


def need_extra() -> None:
    """Say what to install where the server cannot run.

    Raises:
        MissingExtra: Something is missing.
    """
    need("The endpoint", ("uvicorn", "h11", "prometheus_client"), "config/extra-server")


def roles_of(options: argparse.Namespace, wanted: Sequence[str | None]) -> dict[str, Served]:
    """What is served, by name: the one before `=`, else the role's own.

    Raises:
        ConfigError: A role cannot be, or two have one name.
    """
    from gcp_aws_bridge.server.endpoint import Served

    served: dict[str, Served] = {}
    for asked in wanted:
        name, arn = _named(asked)
        cache, role = _role_options.cache_of(options, arn)
        name = name or role.arn.rpartition("/")[2]
        if name in served:
            raise ConfigError(
                f"Two roles would be served as {quoted(name)}.",
                fix="name them: --role-arn first=arn:… --role-arn second=arn:…",
                error_id="config/served-twice",
            )
        served[name] = Served(role, cache)
    return served


def _named(asked: str | None) -> tuple[str, str | None]:
    """`NAME=ARN`, or the ARN alone: the name of a role may have `=` in it, too."""
    if asked is None or asked.startswith("arn:"):
        return "", asked
    name, equals, arn = asked.partition("=")
    return (name, arn) if equals else ("", asked)
