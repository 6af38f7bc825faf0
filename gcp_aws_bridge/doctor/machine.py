"""What this machine tells about itself, without asking any network."""

from __future__ import annotations

import base64
import json
import os
from typing import NamedTuple

# Kubernetes, "Managing Service Accounts": where a pod finds its own token, unless it asked not to.
_MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
_PROC = "/proc"


class KubernetesAccount(NamedTuple):
    """Whose pod this is."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def in_kubernetes() -> bool:
    """Whether this is a pod: the kubelet sets the variable in each of its containers."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def on_cloud_run() -> bool:
    """Whether this is a service or function of Cloud Run (its container contract: K_SERVICE)."""
    return bool(os.environ.get("K_SERVICE"))


def kubernetes_account() -> KubernetesAccount | None:
    """The pod's account, by the subject of the token that is mounted for the API server."""
    try:
        with open(os.path.join(_MOUNTED, "token"), encoding="ascii") as file:
            part = file.read(65536).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        kind, sort, namespace, name = claims["sub"].split(":")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return KubernetesAccount(namespace, name) if (kind, sort) == _SUBJECT else None


_SUBJECT = ("system", "serviceaccount")


def container_age_s() -> float | None:
    """Seconds since the first process that is seen here started; None where /proc does not tell.

    See: proc(5), /proc/[pid]/stat (22) starttime, and /proc/uptime.
    """
    try:
        with open(os.path.join(_PROC, "1", "stat"), encoding="ascii", errors="replace") as file:
            # After the command's name, which is in brackets and may hold anything.
            started = int(file.read(4096).rpartition(")")[2].split()[19])
        with open(os.path.join(_PROC, "uptime"), encoding="ascii") as file:
            up_s = float(file.read(100).split()[0])
        return up_s - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, LookupError, AttributeError):
        return None
