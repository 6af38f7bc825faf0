"""Options, caches, logging and messages of the serving commands."""

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
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._extra import need
from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._shells import SHELLS, default_shell
from gcp_aws_bridge.cli._signals import stop_requested
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.cache import CredentialCache
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge.server.asgi import Answer, Request

_STATUS_PORT = 9912
LOOPBACK = "127.0.0.1, or ::1 on a machine without IPv4"
_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"
_log = logging.getLogger("gcp_aws_bridge")


class Outages:
    """Listener for `on_event` that logs each kind of failure once per outage, and the end of it.

    Many SDKs do not show the errors that this process returns to them.
    """

    def __init__(self) -> None:
        self._logged: dict[str, set[str]] = {}  # error ids, by role

    def __call__(self, event: Event) -> None:
        logged = self._logged.setdefault(event.label, set())
        if event.kind == "exchanged" and logged:
            logged.clear()
            # At the same level as the failure, so that readers of the one see the other.
            _log.warning("%s: recovered; valid for %.0f s", event.label, event.remaining_s)
        elif event.error is not None and event.error.error_id not in logged:
            logged.add(event.error.error_id)
            if event.remaining_s <= 0 or event.failures > 1:  # otherwise `emit` has logged it
                _log.warning("%s: no fresh credentials: %s", event.label, event.error)


@contextlib.contextmanager
def on_stderr(form: str, levels: Mapping[str, int]) -> Iterator[None]:
    """Log to stderr, with `Outages`, and set the *levels* of loggers, until the block ends."""
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


def add_listen(parser: argparse.ArgumentParser, port: int) -> argparse._ArgumentGroup:
    """Declare the options of a server with *port* as default, and return their group."""
    group = parser.add_argument_group("listening")
    group.add_argument(
        "--port", type=int, default=port, help="0: any free port (default: %(default)s)"
    )
    group.add_argument(
        "--status-port",
        type=int,
        metavar="PORT",
        help=f"serve /healthz, /readyz and /metrics on this port, such as {_STATUS_PORT} "
        "(default: do not serve them)",
    )
    group.add_argument(
        "--status-host",
        metavar="ADDRESS",
        help=f"0.0.0.0 for the kubelet, :: on an IPv6-only cluster (default: {LOOPBACK})",
    )
    group.add_argument("--quiet", action="store_true", help="do not log each request")
    group.add_argument(
        "--shell",
        choices=sorted(SHELLS),
        default=default_shell(),
        help="format of the variables on standard output (default: %(default)s)",
    )
    return group


@contextlib.contextmanager
def served(
    options: argparse.Namespace,
    handle: Callable[[Request], Awaitable[Answer]],
    caches: Mapping[str, CredentialCache[Any]],
    hosts: frozenset[str] | None = None,
) -> Iterator[tuple[threading.Event, list[str]]]:
    """Serve the answers of *handle* and, if *options* request it, the status of *caches*.

    Yields:
        An event that is set when the server must stop, and the URLs.

    Raises:
        ConfigError: An address cannot be listened on.
    """
    from gcp_aws_bridge.server.asgi import application
    from gcp_aws_bridge.server.running import Address, running
    from gcp_aws_bridge.server.status import Metrics, status

    metrics = Metrics(caches)
    app = application(metrics.counting(handle), hosts=hosts)
    apps = [(Address(options.host, options.port), app)]
    if options.status_port is not None:
        at = Address(options.status_host, options.status_port)
        apps.append((at, application(status(caches, metrics), hosts=hosts, log_all=False)))
    access = logging.WARNING if options.quiet else logging.INFO
    levels = {"gcp_aws_bridge": logging.INFO, "gcp_aws_bridge.access": access}
    with stop_requested() as stop, on_stderr(_FORM, levels), running(*apps) as urls:
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
        # In a pod, /tmp may be an emptyDir, which is writable for all users and not sticky: other
        # users could replace a folder in it and so redirect the file, but not through a file.
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
    """Print *text* and the status URLs to stderr: standard output is for programs."""
    status = [f"Status: {url}/healthz, {url}/readyz, {url}/metrics" for url in urls[1:]]
    print(text, *status, sep="\n", file=sys.stderr, flush=True)


def need_extra() -> None:
    """Check that the libraries of the server are installed.

    Raises:
        MissingExtra: A library is missing.
    """
    need("The endpoint", ("uvicorn", "h11", "prometheus_client"), "config/extra-server")


def caches_of(
    options: argparse.Namespace, roles: Sequence[str | None]
) -> dict[str, CredentialCache[AwsCredentials]]:
    """Return the caches of the roles to serve, by name.

    Args:
        options: Settings for all roles.
        roles: `NAME=ARN`, or an ARN alone, which is named like the role; None: the configured role.

    Raises:
        ConfigError: A role is invalid, or two roles have the same name.
    """
    served: dict[str, CredentialCache[AwsCredentials]] = {}
    for text in roles:
        name, arn = _split(text)
        cache = _role_options.cache_of(options, arn, registry.world)
        name = name or cache.label.rpartition("/")[2]
        if name in served:
            raise ConfigError(
                f"Two roles would be served as {quoted(name)}.",
                fix="name them: --role-arn first=arn:… --role-arn second=arn:…",
                error_id="config/served-twice",
            )
        served[name] = cache
    return served


def _split(text: str | None) -> tuple[str, str | None]:
    """Split `NAME=ARN`, or an ARN alone, which may contain `=` as well."""
    if text is None or text.startswith("arn:"):
        return "", text
    name, equals, arn = text.partition("=")
    return (name, arn) if equals else ("", text)
