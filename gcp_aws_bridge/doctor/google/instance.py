"""Answers of EC2's instance metadata service, without its keys.

See: EC2 user guide, "Use the Instance Metadata Service to access instance metadata": version 2.
"""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore.session import Session

from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._tokens import http
from gcp_aws_bridge.doctor.metadata import printable

_ADDRESS = "169.254.169.254"
_VENDOR = "/sys/class/dmi/id/sys_vendor"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


class Instance(NamedTuple):
    """Answers of the instance metadata service. Without any, *status* is 0."""

    host: str
    status: int = 0
    failure: str = ""
    role: str = ""
    instance_id: str = ""


def is_ec2() -> bool:
    """Return whether the firmware names EC2 (EC2 user guide, "Detect whether a host is EC2")."""
    try:
        with open(_VENDOR, encoding="utf-8", errors="replace") as file:
            return file.read(256).startswith("Amazon EC2")
    except OSError:
        return False


def is_disabled() -> bool:
    """Return whether the environment keeps botocore from calling the service."""
    return os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"


def probe(session: Session, world: World, timeout_s: float) -> Instance:
    """Ask which role the instance has, for *timeout_s* seconds at most."""
    endpoint = session.get_config_variable("ec2_metadata_service_endpoint")
    host = urlsplit(endpoint).netloc if endpoint else _ADDRESS
    stop = world.monotonic() + timeout_s

    def get(path: str, headers: dict[str, str], method: str = "GET") -> http.Answer:
        left_s = max(0.05, stop - world.monotonic())
        return http.get(
            host, path, headers, timeout_s=left_s, monotonic=world.monotonic, method=method
        )

    try:
        token = get("/latest/api/token", _TTL, "PUT")
        if token.status != 200:
            return Instance(host, token.status)
        headers = {"X-aws-ec2-metadata-token": token.body}
        roles = get(_ROLES, headers)
        instance_id = get("/latest/meta-data/instance-id", headers)
    except (http.Unreachable, http.InvalidHost) as error:
        return Instance(host, failure=str(error) or "not a host")
    role = printable(roles.body.split("\n")[0]) if roles.status == 200 else ""
    return Instance(host, roles.status, role=role, instance_id=printable(instance_id.body)[:32])
