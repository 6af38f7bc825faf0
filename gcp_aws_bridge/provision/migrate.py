"""`migrate`: remove scripts and sidecars that get AWS credentials from Kubernetes manifests.

Three set-ups are known: the `credential_process` script in a ConfigMap (this module), a token file
that a sidecar keeps fresh, and the webhook that adds such a sidecar to pods (`sidecar`). A pod is
either completely rewritten or not changed. Documents are changed in place, so that a YAML reader
that supports comments keeps them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gcp_aws_bridge.provision.pods import (
    NotUnderstood,
    Pod,
    config_maps_of,
    identity,
    is_under,
    mounts_of,
    objects_of,
    pods_of,
    remove,
    set_variable,
    value_of,
)
from gcp_aws_bridge.provision.recipe import AwsConfig, Setting, script
from gcp_aws_bridge.provision.sidecar import without_sidecar, without_webhook

__all__ = ["Migration", "migrate"]

# Variables that the library reads; `migrate` writes the first one.
_READ = {
    "role_arn": ("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ROLE_ARN"),
    "audience": ("GCP_AWS_BRIDGE_AUDIENCE", "GCP_OAUTH_AUD"),
    "role_session_name": ("GCP_AWS_BRIDGE_ROLE_SESSION_NAME", "AWS_ROLE_SESSION_NAME"),
    "duration_seconds": ("GCP_AWS_BRIDGE_DURATION_SECONDS",),
}
# Settings of the usual script, if it is in the image and not in the manifest.
_USUAL: dict[str, Setting | None] = {
    "role_arn": Setting("AWS_ROLE_ARN", is_variable=True),
    "audience": Setting("GCP_OAUTH_AUD", is_variable=True),
}
_CONFIG_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


@dataclass
class Migration:
    """Result of `migrate`.

    Attributes:
        documents: The remaining documents.
        done: Changes, one line each.
        left: Objects that were not understood and not changed, one line each.
    """

    documents: list[Any]
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass
class _ConfigMap:
    """ConfigMap that contains a script or an AWS config file."""

    document: Any
    scripts: dict[str, dict[str, Setting | None]]
    configs: dict[str, AwsConfig]
    rewritten: bool = False
    needed: bool = False

    @property
    def keys(self) -> set[str]:
        """Keys with a script or an AWS config file."""
        return {*self.scripts, *self.configs}

    @property
    def others(self) -> set[Any]:
        return {*self.document["data"], *(self.document.get("binaryData") or {})} - self.keys


@dataclass(frozen=True)
class _Volume:
    """Volume of a pod with such a ConfigMap."""

    volume: Any
    found: _ConfigMap

    @property
    def is_whole(self) -> bool:
        """True if it contains only scripts and AWS config files."""
        items = self.volume["configMap"].get("items")
        shown = self.found.others if items is None else {one.get("key") for one in items}
        return shown <= self.found.keys

    def is_gone(self, mount: Any) -> bool:
        return self.is_whole or mount.get("subPath") in self.found.keys


def migrate(documents: list[Any]) -> Migration:
    """Rewrite all pods that are understood."""
    result = Migration(documents)
    objects = [*objects_of(documents)]
    maps = {identity(one): found for one in objects if (found := _config_map(one))}
    without_webhook(objects, result.done)
    for pod in pods_of(objects):
        for rewrite in (partial(_without_script, pod, maps), partial(without_sidecar, pod)):
            if not _attempt(pod, rewrite, result):
                _keep(pod, maps)
    for found in maps.values():
        _clear(found, result)
    return result


def _attempt(pod: Pod, rewrite: Callable[[], str], result: Migration) -> bool:
    try:
        if change := rewrite():
            result.done.append(f"{pod.name}: {change}.")
    except NotUnderstood as problem:
        result.left.append(f"{pod.name}: {problem}.")
        return False
    return True


_Maps = dict[tuple[str, str], _ConfigMap]


def _config_map(document: Any) -> _ConfigMap | None:
    if document.get("kind") != "ConfigMap" or not isinstance(document.get("data"), dict):
        return None
    texts = {key: str(text) for key, text in document["data"].items()}
    scripts = {key: found for key, text in texts.items() if (found := script(text))}
    configs = {key: read for key, text in texts.items() if (read := AwsConfig.read(text))}
    return _ConfigMap(document, scripts, configs) if scripts or configs else None


def _volumes(pod: Pod, maps: _Maps) -> dict[str, _Volume]:
    """Return the pod's volumes with a script or an AWS config file, by name."""
    found = {}
    for volume in pod.spec.get("volumes") or []:
        name = str((volume.get("configMap") or {}).get("name", ""))
        if (pod.namespace, name) in maps:
            found[str(volume.get("name"))] = _Volume(volume, maps[pod.namespace, name])
    return found


def _without_script(pod: Pod, maps: _Maps) -> str:
    """Remove the `credential_process` script from *pod*.

    Returns:
        Description of the change; empty if the pod has no such script.

    Raises:
        NotUnderstood: The pod uses more than the script; nothing was changed.
    """
    if otherwise := [name for name in config_maps_of(pod) if (pod.namespace, name) in maps]:
        raise NotUnderstood(f"it uses the ConfigMap {otherwise[0]} for variables or a projection")
    gone = _volumes(pod, maps)
    if not gone:
        return ""
    for container, changes in _changes_of(pod, gone):
        _change(container, gone, *changes)
    for one in gone.values():
        _take_out(pod, one)
    return "gets credentials itself; the credential_process script was removed"


def _change(
    container: Any, gone: dict[str, _Volume], removed: set[str], added: dict[str, str]
) -> None:
    remove(container, "env", lambda one: one.get("name") in removed)
    for name, value in added.items():
        set_variable(container, name, value)
    is_gone = {name: volume.is_gone for name, volume in gone.items()}
    remove(
        container,
        "volumeMounts",
        lambda one: one.get("name") in is_gone and is_gone[one["name"]](one),
    )


def _take_out(pod: Pod, one: _Volume) -> None:
    one.found.rewritten = True
    if one.is_whole:
        remove(pod.spec, "volumes", lambda volume: volume is one.volume)
    else:
        remove(one.volume["configMap"], "items", lambda item: item.get("key") in one.found.keys)


def _changes_of(
    pod: Pod, gone: dict[str, _Volume]
) -> list[tuple[Any, tuple[set[str], dict[str, str]]]]:
    """Return each container that uses the script, with its changes."""
    maps = {id(one.found): one.found for one in gone.values()}.values()
    scripts = [script for found in maps for script in found.scripts.values()]
    configs = [config for found in maps for config in found.configs.values()]
    if len(scripts) > 1 or len(configs) > 1:
        raise NotUnderstood("there are several scripts or AWS config files")
    if not configs:
        raise NotUnderstood("the AWS config file that names the script is not in the manifest")
    if configs[0].more:
        raise NotUnderstood(f"its AWS config file has other settings: {', '.join(configs[0].more)}")
    settings = scripts[0] if scripts else _USUAL
    return [
        (one, _changes(one, mounts_of(one, gone), settings, configs[0]))
        for one in pod.containers
        if mounts_of(one, gone)
    ]


def _changes(
    container: Any, mounts: list[Any], settings: dict[str, Setting | None], config: AwsConfig
) -> tuple[set[str], dict[str, str]]:
    """Return the variables of *container* to remove, and those to add."""
    removed = set()
    added: dict[str, str] = {}
    for name in _CONFIG_FILES:
        file = value_of(container, name)
        if file and any(is_under(file.text, str(one.get("mountPath"))) for one in mounts):
            removed.add(name)
        elif file:
            raise NotUnderstood(
                f"{name} of {container.get('name')} is {file.text}, in another folder"
            )
    if config.profile != "default":
        named = value_of(container, "AWS_PROFILE")
        if named is None or named.text != config.profile:
            raise NotUnderstood(
                f"it is not clear which container uses the AWS profile {config.profile}"
            )
        removed.add("AWS_PROFILE")
    regions = (value_of(container, name) for name in ("AWS_DEFAULT_REGION", "AWS_REGION"))
    if config.region and not any(regions):
        added["AWS_DEFAULT_REGION"] = config.region
    for setting, value in settings.items():
        added |= _as_variable(container, setting, value, settings["audience"])
    return removed, added


def _as_variable(
    container: Any, setting: str, value: Setting | None, audience: Setting | None
) -> dict[str, str]:
    """Return *value* as a variable that the library reads; empty if it is set already."""
    if setting == "role_session_name" and value in (None, audience):
        return {}  # the usual script sends the audience; the default, the pod's name, is better
    if value is None:
        raise NotUnderstood(
            f"the value of {setting} in the script can be determined only by a shell"
        )
    if not value.is_variable:
        return {_READ[setting][0]: value.text}
    if value_of(container, value.text) is None and not container.get("envFrom"):
        raise NotUnderstood(f"{container.get('name')} has no variable {value.text}")
    return {} if value.text in _READ[setting] else {_READ[setting][0]: f"$({value.text})"}


def _keep(pod: Pod, maps: _Maps) -> None:
    """Mark the ConfigMaps of a pod that is not changed as needed."""
    for found in _volumes(pod, maps).values():
        found.found.needed = True
    for name in config_maps_of(pod):
        if (pod.namespace, name) in maps:
            maps[pod.namespace, name].needed = True


def _clear(found: _ConfigMap, result: Migration) -> None:
    """Remove script and config file from a ConfigMap if no pod of the manifest needs them."""
    if not found.rewritten or found.needed:
        return
    name = f"ConfigMap {identity(found.document)[1]}"
    if found.others:
        for key in found.keys:
            del found.document["data"][key]
        result.done.append(f"{name}: {', '.join(sorted(found.keys))} removed, other keys kept.")
    else:
        _drop(result.documents, found.document)
        result.done.append(f"{name}: removed; if other pods use it, leave it in the cluster.")


def _drop(documents: list[Any], document: Any) -> None:
    for index, one in enumerate(documents):
        if one is document:
            del documents[index]
            return
        if isinstance(one, dict) and isinstance(one.get("items"), list):
            _drop(one["items"], document)
