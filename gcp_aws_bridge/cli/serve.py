"""`gcp-aws-bridge serve`: the container credentials endpoint, as a sidecar or a local service."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._serving import (
    LOOPBACK,
    add_listen,
    announce,
    caches_of,
    hint,
    need_extra,
    served,
    token_file,
)
from gcp_aws_bridge.cli._signals import wait_for
from gcp_aws_bridge.exceptions import BridgeError

if TYPE_CHECKING:
    from gcp_aws_bridge.server.authorization import Authorization

_PORT = 9911
_CONTAINER_ADDRESSES = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
_ONLY = (
    "over plain HTTP, AWS SDKs accept only loopback, 169.254.170.2, 169.254.170.23 and "
    "[fd00:ec2::23]."
)
_OLD_SDKS = (
    "\nSDKs and AWS CLIs without EKS Pod Identity (before November 2023) accept 127.0.0.1 only, "
    'and answer "Unsupported host".'
)
_ROTATION_S, _RETRY_S = 3600.0, 60.0
_log = logging.getLogger("gcp_aws_bridge")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Serve credentials to every AWS SDK on this machine or in this pod, with the protocol of "
        "AWS_CONTAINER_CREDENTIALS_FULL_URI. Prints the variables that a client needs."
    )
    parser.add_argument(
        "--role-arn",
        action="append",
        metavar="[NAME=]ARN",
        help="a role to serve at /credentials/NAME, the first one at /credentials too; may be "
        "repeated (default: the configured role)",
    )
    _role_options.add_settings(parser)
    listen = add_listen(parser, _PORT)
    listen.add_argument(
        "--host",
        metavar="ADDRESS",
        help=f"address to listen on (default: {LOOPBACK}: only this machine or pod)",
    )
    listen.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name that clients may use, besides localhost and IP addresses",
    )
    listen.add_argument(
        "--token-file",
        metavar="FILE",
        help="authorization token for clients: readable by this user only, replaced every hour "
        "(default: a temporary file)",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    need_extra()
    from gcp_aws_bridge.server.authorization import Authorization
    from gcp_aws_bridge.server.endpoint import PATH, endpoint

    caches = caches_of(options, options.role_arn or [None])
    hosts = frozenset(name.lower() for name in options.allow_host)
    with contextlib.ExitStack() as stack:
        file = options.token_file
        path = stack.enter_context(token_file()) if file is None else os.path.abspath(file)
        authorization = Authorization(path)
        handle = endpoint(caches, authorization)
        stop, urls = stack.enter_context(served(options, handle, caches, hosts))
        url, warning = _for_clients(urls[0])
        variables = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(authorization.path),
        }
        serving = f"Serving {', '.join(caches)}; set the variables above for a client."
        announce(options, variables)
        hint(f"{serving} Ctrl-C stops.{warning}", urls)
        wait_for(stop, _rotation(authorization, REAL))
    return 0


def _for_clients(url: str) -> tuple[str, str]:
    """Return the URL for an SDK on this machine, and a warning if other machines cannot use it.

    See: AWS SDKs and Tools reference, "Container credential provider": plain HTTP is accepted only
    from loopback and from the addresses of ECS and EKS.
    """
    host = ipaddress.ip_address(urlsplit(url).hostname or "")
    if host.is_loopback or str(host) in _CONTAINER_ADDRESSES:
        return url, _OLD_SDKS if str(host) == "::1" else ""
    if not host.is_unspecified:
        return url, f"\nNo AWS SDK accepts {url}: {_ONLY} Omit --host."
    here = "127.0.0.1" if host.version == 4 else "[::1]"
    return f"http://{here}:{urlsplit(url).port}", (
        f"\nThe URL above is for this machine: {_ONLY} Containers can use it if they share the "
        "network: docker run --network=container:NAME or host, or the same pod."
    )


def _rotation(authorization: Authorization, world: World) -> Callable[[], None]:
    """Return a function that replaces the token when it is due, and must be called regularly."""
    due_s = world.monotonic() + _ROTATION_S

    def rotate_if_due() -> None:
        nonlocal due_s
        if world.monotonic() < due_s:
            return
        try:
            authorization.rotate()
            due_s += _ROTATION_S
        except BridgeError as error:  # such as a full disk: the current token stays valid
            _log.error("%s", error)
            due_s += _RETRY_S

    return rotate_if_due
