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

    Its settings are variables, so that a command that is run in it (`doctor`) has the same ones.

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
        "securityContext": {**_RESTRICTED, "runAsUser": owner_of_files(draft)},
        **more,
    }
    if settings.native_sidecars:
        container["restartPolicy"] = "Always"
        # The program starts when there are credentials.
        startup = _probe("/readyz", port) | {"periodSeconds": 1, "failureThreshold": 60}
        container["startupProbe"] = startup
        # Before all that may need credentials, so that other init containers have them.
        names = draft.names("initContainers")
        index = max((at + 1 for at, one in enumerate(names) if one in _PROXIES), default=0)
        draft.add_item(("spec", "initContainers"), container, index=index)
        return
    # A failed startup probe would end the sidecar of a pod that is not restarted for ever.
    container["readinessProbe"] = _probe("/readyz", port)
    draft.add_item(("spec", "containers"), container)
    why = "this cluster has no native sidecars (Kubernetes 1.29)"
    if draft.spec.get("initContainers"):
        draft.warnings.append(f"init containers have no credentials: {why}")
    if draft.spec.get("restartPolicy") not in (None, "Always"):
        draft.warnings.append(f"the pod does not end while its sidecar runs: {why}")


def variables(values: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Return the variables of a sidecar, without those that are empty."""
    return [{"name": name, "value": escaped(one)} for name, one in values.items() if one]


def clients(draft: Draft, settings: Settings, name: str, *but: str) -> list[tuple[Path, Any]]:
    """Return the containers that may use the sidecar *name*: not itself, and none of *but*.

    They run while it does. A pod that may have no sidecar is a warning, as is a proxy before it.
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


def user_of(draft: Draft, container: Any) -> int | None:
    """Return the user of *container*; None: its image decides."""
    contexts = (container.get("securityContext") or {}, draft.spec.get("securityContext") or {})
    return next((one["runAsUser"] for one in contexts if one.get("runAsUser") is not None), None)


def owner_of_files(draft: Draft) -> int:
    """Return the user of the sidecar: the first user of a container that is not root.

    A pod that has been changed keeps its user, whatever another webhook adds.
    """
    sidecars = [one for _, one in draft.containers(MEMBERS) if one.get("name") == SERVE]
    others = [one for _, one in draft.containers(("containers",), SERVE, GOOGLE_SERVE)]
    return next(filter(None, (user_of(draft, one) for one in sidecars + others)), _USER_OF_IMAGE)


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
