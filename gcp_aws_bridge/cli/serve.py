"""`gcp-aws-bridge serve`: the container-credentials endpoint, as a sidecar or a local service."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._serving import (
    add_status,
    announce,
    hint,
    need_extra,
    roles_of,
    served,
    token_file,
)
from gcp_aws_bridge.exceptions import BridgeError

if TYPE_CHECKING:
    from gcp_aws_bridge.server.authorization import Authorization

_PORT = 9911
_OF_CONTAINERS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
_ONLY = (
    "over plain HTTP, AWS SDKs ask loopback, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23] only."
)
_ROTATION_S, _SOON_S = 3600.0, 60.0
_log = logging.getLogger("gcp_aws_bridge")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Serve credentials to every AWS SDK on this machine or in this pod, by the protocol of "
        "AWS_CONTAINER_CREDENTIALS_FULL_URI. Prints the variables that a client needs."
    )
    parser.add_argument(
        "--role-arn",
        action="append",
        metavar="[NAME=]ARN",
        help="a role to serve at /credentials/NAME, the first one at /credentials too; may be "
        "repeated (default: the configured one)",
    )
    _role_options.add_settings(parser)
    listen = parser.add_argument_group("where")
    listen.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s: this machine or pod alone)",
    )
    listen.add_argument(
        "--port", type=int, default=_PORT, help="0: any free one (default: %(default)s)"
    )
    listen.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name that clients may use, besides localhost and addresses",
    )
    listen.add_argument(
        "--token-file",
        metavar="FILE",
        help="where clients read the authorization token: written for this user alone, replaced "
        "every hour (default: a temporary file)",
    )
    add_status(listen)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    need_extra()
    from gcp_aws_bridge.server.authorization import Authorization
    from gcp_aws_bridge.server.endpoint import PATH, endpoint

    roles = roles_of(options, options.role_arn or [None])
    hosts = frozenset(name.lower() for name in options.allow_host)
    caches = {name: role.cache for name, role in roles.items()}
    with contextlib.ExitStack() as stack:
        named = options.token_file
        path = stack.enter_context(token_file()) if named is None else os.path.abspath(named)
        authorization = Authorization(path)
        handle = endpoint(roles, authorization)
        stop, urls = stack.enter_context(served(options, handle, caches, hosts))
        url, warning = _for_clients(urls[0])
        variables = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(authorization.path),
        }
        announce(options, variables)
        serving = f"Serving {', '.join(roles)}; set the variables above for a client."
        hint(f"{serving} Ctrl-C stops.{warning}", urls)
        _rotate_until(stop, authorization, REAL)
    return 0


def _for_clients(url: str) -> tuple[str, str]:
    """Return the address that an SDK on this machine takes, and a warning about all others.

    See: AWS SDKs and Tools reference, "Container credential provider": plain HTTP is taken from
    loopback and from the addresses of ECS and EKS alone.
    """
    host = ipaddress.ip_address(urlsplit(url).hostname or "")
    if host.is_loopback or str(host) in _OF_CONTAINERS:
        return url, ""
    if not host.is_unspecified:
        return url, f"\nNo AWS SDK takes {url}: {_ONLY} Give --host 127.0.0.1."
    here = "127.0.0.1" if host.version == 4 else "[::1]"
    return f"http://{here}:{urlsplit(url).port}", (
        f"\nThe address is the one for this machine: {_ONLY} A container takes it in the same "
        "network: docker run --network=container:NAME or host, or the same pod."
    )


def _rotate_until(stop: threading.Event, authorization: Authorization, world: World) -> None:
    due_s = world.monotonic() + _ROTATION_S
    # Not one long wait: on Windows, Ctrl-C does not interrupt it.
    while not stop.wait(0.5):
        if world.monotonic() < due_s:
            continue
        try:
            authorization.rotate()
            due_s += _ROTATION_S
        except BridgeError as error:  # a full disk: the token in use goes on being one
            _log.error("%s", error)
            due_s += _SOON_S
