"""STS's dual-stack endpoint, for a machine whose only route to AWS is by IPv6.

See: IAM user guide, "Dual-stack endpoint support".
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
from botocore import UNSIGNED
from botocore.config import Config

from gcp_aws_bridge.doctor.context import Context
from gcp_aws_bridge.doctor.network import Problem, host_of

_FIX = (
    "export AWS_USE_DUALSTACK_ENDPOINT=true   # or use_dualstack_endpoint = true in the profile: "
    "STS is then {dual_stack}\n"
    "for services without such endpoints, the network needs NAT64 and DNS64"
)


def problem(context: Context, region: str, url: str) -> Problem | None:
    """Return the problem if *url* has only IPv4 addresses, and this machine reaches STS by IPv6."""
    with contextlib.suppress(OSError, ValueError, botocore.exceptions.BotoCoreError):
        dual_stack = context.within(lambda: _dual_stack(context, region))
        routes = context.within(lambda: (_routes(host_of(url)), _routes(dual_stack)))
        if routes[0] == {socket.AF_INET: False} and routes[1].get(socket.AF_INET6):
            return Problem(
                "doctor/sts-ipv4-only",
                "it has only IPv4 addresses, and this machine has a route by IPv6 only",
                _FIX.replace("{dual_stack}", dual_stack),
            )
    return None


def _dual_stack(context: Context, region: str) -> str:
    config = Config(use_dualstack_endpoint=True, signature_version=UNSIGNED)
    client: Any = context.session.create_client("sts", region_name=region, config=config)
    with contextlib.closing(client):
        return urlsplit(client.meta.endpoint_url).hostname or ""


def _routes(host: str) -> dict[int, bool]:
    """Return the families of the addresses of *host*, and whether there is a route to them.

    Connecting a UDP socket sends no packet (connect(2)).
    """
    found: dict[int, bool] = {}
    for family, kind, protocol, _, address in socket.getaddrinfo(host, 443, type=socket.SOCK_DGRAM):
        found.setdefault(family, False)
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as unsent:
            unsent.connect(address)
            found[family] = True
    return found
