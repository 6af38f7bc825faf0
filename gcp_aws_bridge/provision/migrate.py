"""From manifests with a recipe to manifests without: `migrate`, on documents as YAML gives them.

Three recipes: the `credential_process` script in a ConfigMap (here); a token file that a sidecar
keeps fresh, and the webhook that puts such a sidecar into pods (`sidecar`). A pod is rewritten as a
whole or left as it is. Documents are changed in place: a reader that keeps comments keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gcp_aws_bridge.provision.pods import (
    OBJECT,
    NotUnderstood,
    Pod,
    config_maps_of,
    fits,
    identity,
    is_under,
    mounts_of,
    pods_of,
    remove,
    set_variable,
    value_of,
)
from gcp_aws_bridge.provision.recipe import AwsConfig, Setting, script
from gcp_aws_bridge.provision.sidecar import without_sidecar, without_webhook

__all__ = ["Migration", "migrate"]

# Names that the library reads, the one to write first.
_READ = {
    "role_arn": ("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ROLE_ARN"),
    "audience": ("GCP_AWS_BRIDGE_AUDIENCE", "GCP_OAUTH_AUD"),
    "role_session_name": ("GCP_AWS_BRIDGE_ROLE_SESSION_NAME", "AWS_ROLE_SESSION_NAME"),
    "duration_seconds": ("GCP_AWS_BRIDGE_DURATION_SECONDS",),
}
# What the recipe's own script takes, where it is in the image and not to be seen.
_USUAL: dict[str, Setting | None] = {
    "role_arn": Setting("AWS_ROLE_ARN", is_variable=True),
    "audience": Setting("GCP_OAUTH_AUD", is_variable=True),
}
_CONFIG_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


@dataclass
class Migration:
    """What became of the documents.

    Attributes:
        documents: All that are left.
        done: What was changed, a line each.
        left: What was not understood, and so left as it is.
    """

    documents: list[Any]
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass
class _ConfigMap:
    """A ConfigMap with some of the recipe in it."""

    document: Any
    scripts: dict[str, dict[str, Setting | None]]
    configs: dict[str, AwsConfig]
    rewritten: bool = False
    needed: bool = False

    @property
    def keys(self) -> set[str]:
        """Those with the recipe in them."""
        return {*self.scripts, *self.configs}

    @property
    def others(self) -> set[Any]:
        return {*self.document["data"], *(self.document.get("binaryData") or {})} - self.keys


@dataclass(frozen=True)
class _Volume:
    """A volume of a pod with such a ConfigMap."""

    volume: Any
    found: _ConfigMap

    @property
    def is_whole(self) -> bool:
        """Whether nothing but the recipe is in it."""
        items = self.volume["configMap"].get("items")
        shown = self.found.others if items is None else {one.get("key") for one in items}
        return shown <= self.found.keys

    def is_gone(self, mount: Any) -> bool:
        return self.is_whole or mount.get("subPath") in self.found.keys


def migrate(documents: list[Any]) -> Migration:
    """Rewrite what is understood."""
    result = Migration(documents)
    objects = [*_flat(documents)]
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
        if said := rewrite():
            result.done.append(f"{pod.name}: {said}.")
    except NotUnderstood as problem:
        result.left.append(f"{pod.name}: {problem}.")
        return False
    return True


def _flat(documents: list[Any]) -> Iterator[Any]:
    """Every object, those in a List too."""
    for document in documents:
        if not isinstance(document, dict) or not fits(document, OBJECT):
            continue
        if document.get("kind") == "List" and fits(document, {"items": [{}]}):
            yield from _flat(document.get("items") or [])
        else:
            yield document


_Maps = dict[tuple[str, str], _ConfigMap]


def _config_map(document: Any) -> _ConfigMap | None:
    if document.get("kind") != "ConfigMap" or not isinstance(document.get("data"), dict):
        return None
    texts = {key: str(text) for key, text in document["data"].items()}
    scripts = {key: found for key, text in texts.items() if (found := script(text))}
    configs = {key: read for key, text in texts.items() if (read := AwsConfig.read(text))}
    return _ConfigMap(document, scripts, configs) if scripts or configs else None


def _volumes(pod: Pod, maps: _Maps) -> dict[str, _Volume]:
    """The pod's volumes that have some of the recipe, by their names."""
    found = {}
    for volume in pod.spec.get("volumes") or []:
        name = str((volume.get("configMap") or {}).get("name", ""))
        if (pod.namespace, name) in maps:
            found[str(volume.get("name"))] = _Volume(volume, maps[pod.namespace, name])
    return found


def _without_script(pod: Pod, maps: _Maps) -> str:
    """Take the `credential_process` recipe out of *pod*.

    Returns:
        What was done; empty where the pod has no such thing.

    Raises:
        NotUnderstood: It has, and more than that; nothing was changed.
    """
    if otherwise := [name for name in config_maps_of(pod) if (pod.namespace, name) in maps]:
        raise NotUnderstood(f"it needs the ConfigMap {otherwise[0]} for variables or a projection")
    gone = _volumes(pod, maps)
    if not gone:
        return ""
    for container, changes in _changes_of(pod, gone):
        _change(container, gone, *changes)
    for one in gone.values():
        _take_out(pod, one)
    return "asks Google and AWS itself; the credential_process script is gone"


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
    """Each container that has the recipe, with what is to change in it."""
    maps = {id(one.found): one.found for one in gone.values()}.values()
    scripts = [asked for found in maps for asked in found.scripts.values()]
    configs = [config for found in maps for config in found.configs.values()]
    if len(scripts) > 1 or len(configs) > 1:
        raise NotUnderstood("there are several scripts or AWS config files")
    if not configs:
        raise NotUnderstood("the AWS config file that names the script is not to be seen")
    if configs[0].more:
        raise NotUnderstood(f"its AWS config file says more: {', '.join(configs[0].more)}")
    asked = scripts[0] if scripts else _USUAL
    return [
        (one, _changes(one, mounts_of(one, gone), asked, configs[0]))
        for one in pod.containers
        if mounts_of(one, gone)
    ]


def _changes(
    container: Any, mounts: list[Any], asked: dict[str, Setting | None], config: AwsConfig
) -> tuple[set[str], dict[str, str]]:
    """The variables of *container* to remove, and those to add."""
    removed = set()
    added: dict[str, str] = {}
    for name in _CONFIG_FILES:
        file = value_of(container, name)
        if file and any(is_under(file.text, str(one.get("mountPath"))) for one in mounts):
            removed.add(name)
        elif file:
            raise NotUnderstood(f"{name} of {container.get('name')} is {file.text}, elsewhere")
    if config.profile != "default":
        named = value_of(container, "AWS_PROFILE")
        if named is None or named.text != config.profile:
            raise NotUnderstood(f"who uses the AWS profile {config.profile} is not to be seen")
        removed.add("AWS_PROFILE")
    regions = (value_of(container, name) for name in ("AWS_DEFAULT_REGION", "AWS_REGION"))
    if config.region and not any(regions):
        added["AWS_DEFAULT_REGION"] = config.region
    for setting, value in asked.items():
        added |= _as_variable(container, setting, value, asked["audience"])
    return removed, added


def _as_variable(
    container: Any, setting: str, value: Setting | None, audience: Setting | None
) -> dict[str, str]:
    """*value* under the name that the library reads; nothing where it has it already."""
    if setting == "role_session_name" and value in (None, audience):
        return {}  # for want of a name, the recipe sends the audience: the pod's own is better
    if value is None:
        raise NotUnderstood(f"what the script takes for {setting} only a shell could tell")
    if not value.is_variable:
        return {_READ[setting][0]: value.text}
    if value_of(container, value.text) is None and not container.get("envFrom"):
        raise NotUnderstood(f"{container.get('name')} has no variable {value.text}")
    return {} if value.text in _READ[setting] else {_READ[setting][0]: f"$({value.text})"}


def _keep(pod: Pod, maps: _Maps) -> None:
    """*pod* stays as it is, and so must what it needs."""
    for found in _volumes(pod, maps).values():
        found.found.needed = True
    for name in config_maps_of(pod):
        if (pod.namespace, name) in maps:
            maps[pod.namespace, name].needed = True


def _clear(found: _ConfigMap, result: Migration) -> None:
    """Take the recipe out of a ConfigMap that no pod here needs for it any more."""
    if not found.rewritten or found.needed:
        return
    name = f"ConfigMap {identity(found.document)[1]}"
    if found.others:
        for key in found.keys:
            del found.document["data"][key]
        result.done.append(f"{name}: {', '.join(sorted(found.keys))} removed, the rest kept.")
    else:
        _drop(result.documents, found.document)
        result.done.append(f"{name}: gone; where pods elsewhere use it, leave it in the cluster.")


def _drop(documents: list[Any], document: Any) -> None:
    for index, one in enumerate(documents):
        if one is document:
            del documents[index]
            return
        if isinstance(one, dict) and isinstance(one.get("items"), list):
            _drop(one["items"], document)
