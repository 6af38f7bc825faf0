"""Pods in manifests: finding them in workload objects, and changes to their containers.

Documents are the dicts and lists of a YAML reader, or subclasses that keep comments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from gcp_aws_bridge.provision.recipe import Setting

__all__ = [
    "NotUnderstood",
    "Pod",
    "config_maps_of",
    "identity",
    "is_under",
    "mounts_of",
    "objects_of",
    "pods_of",
    "remove",
    "set_variable",
    "value_of",
]


# The parts of objects that are read: a dict of members, a list of items, or one value (str).
_NAMED = {"name": str}
_CONTAINER = {
    **_NAMED,
    "image": str,
    "command": [str],
    "args": [str],
    "env": [{**_NAMED, "value": str, "valueFrom": {"configMapKeyRef": _NAMED}}],
    "envFrom": [{"configMapRef": _NAMED}],
    "volumeMounts": [{**_NAMED, "mountPath": str, "subPath": str}],
    "securityContext": {"runAsUser": str},
}
_SPEC = {
    "serviceAccountName": str,
    "serviceAccount": str,
    "os": _NAMED,
    "nodeSelector": {},
    "securityContext": {"runAsUser": str},
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [
        {
            **_NAMED,
            "configMap": {**_NAMED, "items": [{"key": str}]},
            "projected": {"sources": [{"configMap": _NAMED}]},
        }
    ],
}
_OBJECT: dict[str, Any] = {
    "kind": str,
    "metadata": {**_NAMED, "namespace": str, "annotations": {}},
}
_TEMPLATE = {"metadata": {"annotations": {}}, "spec": _SPEC}


def _fits(value: Any, shape: Any) -> bool:
    """Return whether *value* has this shape; missing members and null are allowed."""
    if value is None:
        return True
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(value.get(key), shape[key]) for key in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(
            item is not None and _fits(item, shape[0]) for item in value
        )
    return not isinstance(value, (dict, list))


class NotUnderstood(Exception):
    """The reason why a pod is not changed."""


@dataclass(frozen=True)
class Pod:
    """Pod, or pod template.

    Attributes:
        name: Kind and name of the object that contains it, for messages.
        namespace: Empty if the manifest does not set it.
        template: The object with metadata and PodSpec: the pod itself, or a template.
    """

    name: str
    namespace: str
    template: Any

    @property
    def spec(self) -> Any:
        """The PodSpec."""
        return self.template["spec"]

    @property
    def account(self) -> str:
        """The name of its service account."""
        # Kubernetes API reference, PodSpec: serviceAccount is a deprecated alias. "Configure
        # Service Accounts for Pods": the account of pods that name none.
        names = (self.spec.get("serviceAccountName"), self.spec.get("serviceAccount"))
        return str(next(filter(None, names), "default"))

    @property
    def containers(self) -> list[Any]:
        """All containers, including init containers."""
        return [*(self.spec.get("initContainers") or []), *(self.spec.get("containers") or [])]


def identity(document: Any) -> tuple[str, str]:
    """Return namespace and name."""
    about = document.get("metadata") or {}
    return str(about.get("namespace") or ""), str(about.get("name") or "")


def objects_of(documents: Iterable[Any]) -> Iterator[Any]:
    """Yield every object, including the items of a List, or of a ResourceList of kustomize."""
    for document in documents:
        if not isinstance(document, dict) or not _fits(document, _OBJECT):
            continue
        is_list = document.get("kind") in ("List", "ResourceList")
        if is_list and _fits(document, {"items": [{}]}):
            yield from objects_of(document.get("items") or [])
        else:
            yield document


def pods_of(documents: Iterable[Any]) -> Iterator[Pod]:
    """Yield every object with a PodSpec, in a pod template or a Job template."""
    for document in documents:
        owner = spec = document
        for step in ("spec", "jobTemplate", "spec", "template", "spec"):
            if isinstance(spec, dict) and step in spec and "containers" not in spec:
                owner, spec = spec, spec[step]
        if isinstance(spec, dict) and spec.get("containers") and _fits(owner, _TEMPLATE):
            namespace, name = identity(document)
            yield Pod(f"{document.get('kind')} {name}", namespace, owner)


def value_of(container: Any, name: str) -> Setting | None:
    """Return the value of a variable of *container*, or its name if the value is a reference."""
    for variable in container.get("env") or []:
        if variable.get("name") == name:
            if "value" in variable:
                return Setting(str(variable["value"]))
            return Setting(name, is_variable=True)
    return None


def set_variable(container: Any, name: str, value: str) -> None:
    """Set a variable of *container*, at the end: `$(OTHER)` refers to earlier variables only."""
    if not container.get("env"):
        container["env"] = []
    for variable in container["env"]:
        if variable.get("name") == name:
            variable.pop("valueFrom", None)
            variable["value"] = value
            return
    container["env"].append({"name": name, "value": value})


def remove(owner: Any, member: str, is_gone: Callable[[Any], bool]) -> None:
    """Remove items from a list, and the list if it is then empty."""
    items = owner.get(member)
    if not items:
        return
    for index in reversed(range(len(items))):
        if is_gone(items[index]):
            del items[index]
    if not items:
        del owner[member]


def mounts_of(container: Any, volumes: Iterable[str]) -> list[Any]:
    """Return the mounts of *volumes* in *container*."""
    names = {*volumes}
    return [one for one in container.get("volumeMounts") or [] if one.get("name") in names]


def is_under(path: str, folder: str) -> bool:
    """Return whether *path* is *folder*, or in it."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))


def config_maps_of(pod: Pod) -> set[str]:
    """Return the ConfigMaps that *pod* uses for variables or in projected volumes."""
    sources = [
        source
        for volume in pod.spec.get("volumes") or []
        for source in (volume.get("projected") or {}).get("sources") or []
    ]
    found = {(source.get("configMap") or {}).get("name") for source in sources}
    for container in pod.containers:
        for source in container.get("envFrom") or []:
            found.add((source.get("configMapRef") or {}).get("name"))
        for variable in container.get("env") or []:
            reference = (variable.get("valueFrom") or {}).get("configMapKeyRef") or {}
            found.add(reference.get("name"))
    return {str(name) for name in found if name}
