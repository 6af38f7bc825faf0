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


# Containers of service meshes (Istio, manifests of the injector; Linkerd, charts/partials). They
# need no credentials and run as users of their own. A native sidecar can use the network once a
# proxy that was injected as a native sidecar, too, has started.
_PROXIES = frozenset({"istio-proxy", "linkerd-proxy"})
MESH = _PROXIES | {"istio-init", "istio-validation", "linkerd-init", "linkerd-network-validator"}


def add_sidecar(
    draft: Draft, settings: Settings, name: str, arguments: list[str], port: int, **more: Any
) -> None:
    """Add the sidecar *name*, with *arguments*, probes on *port*, and *more* members.

    Its settings are variables, not arguments, so that `kubectl exec … doctor` in it uses them too.

    Raises:
        ConfigError: No image is configured.
    """
    if name in draft.names(*MEMBERS):
        return
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
        "livenessProbe": _probe("/healthz", port),
        "resources": _RESOURCES,
        "securityContext": {**_RESTRICTED, "runAsUser": user_of_sidecar(draft)},
        **more,
    }
    if settings.native_sidecars:
        container["restartPolicy"] = "Always"
        # The containers after it start once it has credentials.
        startup = _probe("/readyz", port) | {"periodSeconds": 1, "failureThreshold": 60}
        container["startupProbe"] = startup
        # In front of the other init containers, which may need credentials, but after proxies.
        names = draft.names("initContainers")
        index = max((at + 1 for at, one in enumerate(names) if one in _PROXIES), default=0)
        draft.add_item(("spec", "initContainers"), container, index=index)
        return
    # Not a startup probe: if it failed in a pod with restartPolicy Never, the sidecar would be
    # stopped and not restarted.
    container["readinessProbe"] = _probe("/readyz", port)
    draft.add_item(("spec", "containers"), container)
    why = "this cluster has no native sidecars (Kubernetes 1.29)"
    if draft.spec.get("initContainers"):
        draft.warnings.append(f"init containers have no credentials: {why}")
    if draft.spec.get("restartPolicy") not in (None, "Always"):
        draft.warnings.append(f"the pod does not end while its sidecar runs: {why}")


def env_of_sidecar(values: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Return the member `env` of a sidecar, without empty values."""
    return [{"name": name, "value": escaped(one)} for name, one in values.items() if one]


def sidecar_clients(
    draft: Draft, settings: Settings, name: str, *but: str
) -> list[tuple[Path, Any]]:
    """Return the containers that can use the sidecar *name*, without itself and those named *but*.

    With an ordinary sidecar, these are the ordinary containers: init containers run before it. Adds
    a warning for a pod that must not have a sidecar, and for containers with an HTTP proxy.
    """
    if draft.spec.get("hostNetwork"):
        draft.warnings.append(
            "no credentials: the pod uses hostNetwork, where a sidecar would have the node's "
            "identity and serve credentials to the whole node"
        )
        return []
    is_native = settings.native_sidecars or name in draft.names("initContainers")
    is_ordinary = name in draft.names("containers")
    members = MEMBERS if is_native and not is_ordinary else MEMBERS[1:]
    found = [*draft.containers(members, name, *but)]
    for _, container in found:
        _check_proxy(draft, container)
    return found


def user_of_container(draft: Draft, container: Any) -> int | None:
    """Return the user of *container*, or None if its image determines it."""
    contexts = (container.get("securityContext") or {}, draft.spec.get("securityContext") or {})
    return next((one["runAsUser"] for one in contexts if one.get("runAsUser") is not None), None)


def user_of_sidecar(draft: Draft) -> int:
    """Return the user of the sidecar, who owns its files: the first user that is not root.

    If the pod already has the sidecar, return its user: containers that another webhook added
    in the meantime do not change it.
    """
    sidecars = [one for _, one in draft.containers(MEMBERS) if one.get("name") == SERVE]
    others = [one for _, one in draft.containers(("containers",), SERVE, GOOGLE_SERVE)]
    return next(
        filter(None, (user_of_container(draft, one) for one in sidecars + others)), _USER_OF_IMAGE
    )


def _check_proxy(draft: Draft, container: Any) -> None:
    own = {
        str(one.get("name")).upper(): "*" if one.get("valueFrom") else one.get("value") or ""
        for one in container.get("env") or []
    }
    direct = own.get("NO_PROXY", "")
    if own.get("HTTP_PROXY") and "127.0.0." not in direct and "*" not in direct:
        draft.warnings.append(
            f"container {container.get('name')} sets HTTP_PROXY without NO_PROXY=127.0.0.1: some "
            "SDKs would send their requests to the sidecar, with its token, to the proxy"
        )


def _probe(path: str, port: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}}
