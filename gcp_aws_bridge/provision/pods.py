"""Pods in manifests: where they are in whatever makes them, and small changes to their containers.

Documents are the plain dicts and lists of a YAML reader, or subclasses that keep comments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from gcp_aws_bridge.provision.recipe import Setting

__all__ = [
    "OBJECT",
    "NotUnderstood",
    "Pod",
    "config_maps_of",
    "fits",
    "identity",
    "is_under",
    "mounts_of",
    "pods_of",
    "remove",
    "set_variable",
    "value_of",
]


# What is read of an object, as Kubernetes types it: members, items, or one value (str).
_NAMED = {"name": str}
_CONTAINER = {
    **_NAMED,
    "image": str,
    "command": [str],
    "args": [str],
    "env": [{**_NAMED, "value": str, "valueFrom": {"configMapKeyRef": _NAMED}}],
    "envFrom": [{"configMapRef": _NAMED}],
    "volumeMounts": [{**_NAMED, "mountPath": str, "subPath": str}],
}
_SPEC = {
    "serviceAccountName": str,
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
OBJECT: dict[str, Any] = {
    "kind": str,
    "metadata": {**_NAMED, "namespace": str, "annotations": {}},
}


def fits(value: Any, shape: Any) -> bool:
    """Whether *value* is of this shape, as far as it goes; what is left out (null) always is."""
    if value is None:
        return True
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(fits(value.get(key), shape[key]) for key in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(
            item is not None and fits(item, shape[0]) for item in value
        )
    return not isinstance(value, (dict, list))


class NotUnderstood(Exception):
    """Why a pod is left as it is."""


@dataclass(frozen=True)
class Pod:
    """A pod, or the template of one.

    Attributes:
        name: Kind and name of what makes it, for messages.
        namespace: Empty where the manifest leaves it to kubectl.
        spec: The PodSpec.
    """

    name: str
    namespace: str
    spec: Any

    @property
    def containers(self) -> list[Any]:
        """Init containers, too."""
        return [*(self.spec.get("initContainers") or []), *(self.spec.get("containers") or [])]


def identity(document: Any) -> tuple[str, str]:
    """Namespace and name."""
    about = document.get("metadata") or {}
    return str(about.get("namespace") or ""), str(about.get("name") or "")


def pods_of(documents: Iterable[Any]) -> Iterator[Pod]:
    """Every pod, by its shape: a PodSpec, in a template, in a template of Jobs."""
    for document in documents:
        spec = document.get("spec")
        for step in ("jobTemplate", "spec", "template", "spec"):
            if isinstance(spec, dict) and step in spec and "containers" not in spec:
                spec = spec[step]
        if isinstance(spec, dict) and spec.get("containers") and fits(spec, _SPEC):
            namespace, name = identity(document)
            yield Pod(f"{document.get('kind')} {name}", namespace, spec)


def value_of(container: Any, name: str) -> Setting | None:
    """What *container* has for the variable *name*; its name where that is from elsewhere."""
    for variable in container.get("env") or []:
        if variable.get("name") == name:
            if "value" in variable:
                return Setting(str(variable["value"]))
            return Setting(name, is_variable=True)
    return None


def set_variable(container: Any, name: str, value: str) -> None:
    """Give *container* a variable, after those that it has: `$(OTHER)` sees earlier ones only."""
    if not container.get("env"):
        container["env"] = []
    for variable in container["env"]:
        if variable.get("name") == name:
            variable.pop("valueFrom", None)
            variable["value"] = value
            return
    container["env"].append({"name": name, "value": value})


def remove(owner: Any, member: str, is_gone: Callable[[Any], bool]) -> None:
    """Take items out of a list, and the list where none is left."""
    items = owner.get(member)
    if not items:
        return
    for index in reversed(range(len(items))):
        if is_gone(items[index]):
            del items[index]
    if not items:
        del owner[member]


def mounts_of(container: Any, volumes: Iterable[str]) -> list[Any]:
    """The mounts of *container* that are of one of these *volumes*."""
    names = {*volumes}
    return [one for one in container.get("volumeMounts") or [] if one.get("name") in names]


def is_under(path: str, folder: str) -> bool:
    """Whether *path* is *folder*, or in it."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))


def config_maps_of(pod: Pod) -> set[str]:
    """The ConfigMaps that *pod* needs otherwise than as a volume of their own."""
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
            whence = (variable.get("valueFrom") or {}).get("configMapKeyRef") or {}
            found.add(whence.get("name"))
    return {str(name) for name in found if name}
