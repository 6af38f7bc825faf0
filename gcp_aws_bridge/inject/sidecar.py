"""The container that serves credentials to the other containers of its pod, on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject.draft import MEMBERS, Draft, Path, escaped
from gcp_aws_bridge.inject.settings import Settings
from gcp_aws_bridge.inject.variables import GOOGLE_SERVE, SERVE

_USER_OF_IMAGE = 65532
# Kubernetes, "Pod Security Standards": what the profile Restricted requires of each container.
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# As in docs/examples. GKE Autopilot raises requests that are below its minimum.
_RESOURCES = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}


def add_sidecar(
    draft: Draft, settings: Settings, name: str, arguments: list[str], port: int, **more: Any
) -> bool:
    """Add the sidecar *name*, with *arguments*, probes on *port*, and *more* members.

    Its settings are variables, so that a command that is run in it (`doctor`) has the same ones.

    Returns:
        Whether the pod has it; if not, there is a warning.

    Raises:
        ConfigError: No image is configured.
    """
    if draft.spec.get("hostNetwork"):
        draft.warnings.append(
            "no credentials: the pod uses hostNetwork, where a sidecar would have the node's "
            "identity and serve credentials to the whole node"
        )
        return False
    if not settings.image:
        raise ConfigError(
            "The pod needs a sidecar, and no image for it is configured.",
            fix="pass --image, or use a method without a sidecar.",
            error_id="config/inject-image",
        )
    probed = [f"--status-host={settings.status_host}", f"--status-port={port}"]
    container: dict[str, Any] = {
        "name": name,
        "image": settings.image,
        "args": [escaped(argument) for argument in (*arguments, *probed)],
        # The program starts when there are credentials.
        "startupProbe": _probe("/readyz", port) | {"periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": _probe("/healthz", port),
        "resources": _RESOURCES,
        "securityContext": {**_RESTRICTED, "runAsUser": owner_of_files(draft)},
        **more,
    }
    if settings.native_sidecars:  # the first one, so that other init containers have credentials
        container["restartPolicy"] = "Always"
        draft.add_item(("spec", "initContainers"), container, first=True)
        return True
    draft.add_item(("spec", "containers"), container)
    why = "this cluster has no native sidecars (Kubernetes 1.29)"
    if draft.spec.get("initContainers"):
        draft.warnings.append(f"init containers have no credentials: {why}")
    if draft.spec.get("restartPolicy") not in (None, "Always"):
        draft.warnings.append(f"the pod does not end while its sidecar runs: {why}")
    return True


def variables(values: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Return the variables of a sidecar, without those that are empty."""
    return [{"name": name, "value": escaped(one)} for name, one in values.items() if one]


def clients(draft: Draft, settings: Settings, *but: str) -> list[tuple[Path, Any]]:
    """Return the containers that run while the sidecar does, except *but*."""
    return [*draft.containers(MEMBERS if settings.native_sidecars else MEMBERS[1:], *but)]


def user_of(draft: Draft, container: Any) -> int | None:
    """Return the user of *container*; None: its image decides."""
    contexts = (container.get("securityContext") or {}, draft.spec.get("securityContext") or {})
    return next((one["runAsUser"] for one in contexts if one.get("runAsUser") is not None), None)


def owner_of_files(draft: Draft) -> int:
    """Return the user of the sidecar: the first user of a container that is not root."""
    containers = draft.containers(("containers",), SERVE, GOOGLE_SERVE)
    return next(filter(None, (user_of(draft, one) for _, one in containers)), _USER_OF_IMAGE)


def _probe(path: str, port: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}}
