"""Facts about this machine that need no network."""

from __future__ import annotations

import base64
import json
import os
from typing import NamedTuple

# Kubernetes, "Managing Service Accounts": the path of a pod's own token, unless it opted out.
_MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
_PROC = "/proc"


class KubernetesAccount(NamedTuple):
    """Kubernetes service account of this pod."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def in_kubernetes() -> bool:
    """Return whether this is a pod: the kubelet sets the variable in each container."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def kubernetes_account() -> KubernetesAccount | None:
    """Return the pod's account, from the token that is mounted for the API server."""
    try:
        with open(os.path.join(_MOUNTED, "token"), encoding="ascii") as file:
            part = file.read(65536).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        system, kind, namespace, name = claims["sub"].split(":")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    is_account = (system, kind) == ("system", "serviceaccount")
    return KubernetesAccount(namespace, name) if is_account else None


def container_age_s() -> float | None:
    """Return the age of the first process in this PID namespace; None if /proc does not have it.

    See: proc(5), /proc/[pid]/stat (22) starttime, and /proc/uptime.
    """
    try:
        with open(os.path.join(_PROC, "1", "stat"), encoding="ascii", errors="replace") as file:
            # The command's name is in parentheses and may contain any character.
            started = int(file.read(4096).rpartition(")")[2].split()[19])
        with open(os.path.join(_PROC, "uptime"), encoding="ascii") as file:
            up_s = float(file.read(100).split()[0])
        return up_s - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, LookupError, AttributeError):
        return None
