"""Objects of Kubernetes: random ones from its schemas, patches, and checks that schemas lack."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonpatch
import kubernetes_validate
from hypothesis import strategies as st

VERSIONS = ("1.25", "1.29", "1.33", kubernetes_validate.latest_version()[:4])
_SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
_NAMES = st.sampled_from(["app", "web", "init", "log", "cache", "gcp-aws-bridge-x", "data"])


@cache
def _definitions(version: str) -> dict[str, Any]:
    [path] = _SCHEMAS.glob(f"v{version}.0-local-strict/_definitions.json")
    return json.loads(path.read_text(encoding="utf-8"))["$defs"]


@cache
def objects(name: str, version: str, depth: int = 3) -> st.SearchStrategy[Any]:
    """Return a strategy for objects of a definition, such as `PodSpec`."""
    return _values({"$ref": f"#/$defs/io.k8s.api.core.v1.{name}"}, version, depth)


def _values(schema: dict[str, Any], version: str, depth: int) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name.endswith("IntOrString"):
            return st.one_of(st.integers(1, 65535), st.just("http"))
        if name.endswith("Quantity"):
            return st.sampled_from(["1", "10m", "64Mi"])
        return _values(_definitions(version)[name], version, depth)
    kinds = schema.get("type", "string")
    kind = next(one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null")
    if "enum" in schema:
        return st.sampled_from([one for one in schema["enum"] if one is not None])
    if kind == "object":
        return _object(schema, version, depth)
    if kind == "array":
        item = schema["items"]
        return st.lists(_values(item, version, depth - 1), max_size=2 if depth > 0 else 0)
    if schema.get("format") == "date-time":
        return st.just("2026-01-01T00:00:00Z")
    return {
        "string": st.sampled_from(["", "a", "windows", "$(A)", "é", "x: y", "Always"]),
        "integer": st.integers(0, 65535),
        "number": st.integers(0, 65535),
        "boolean": st.booleans(),
    }[kind]


def _object(schema: dict[str, Any], version: str, depth: int) -> st.SearchStrategy[Any]:
    required = schema.get("required", [])
    members = {
        name: _NAMES if name == "name" else _values(member, version, depth - 1)
        for name, member in schema.get("properties", {}).items()
        if depth > 0 or name in required
    }
    if not schema.get("properties"):
        free = schema.get("additionalProperties")
        values = (
            _values(free, version, depth - 1) if isinstance(free, dict) and free else st.just("v")
        )
        return st.dictionaries(st.sampled_from(["a", "b/c"]), values, max_size=2)
    optional = sorted(members.keys() - {*required})
    chosen = st.lists(st.sampled_from(optional), max_size=4) if optional else st.just([])
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: members[name] for name in (*required, *names)})
    )


@st.composite
def pods(draw: st.DrawFn, version: str) -> dict[str, Any]:
    """Return valid pods: names are unique where the API server requires it."""
    spec = draw(objects("PodSpec", version))
    containers = st.lists(objects("Container", version), min_size=1, max_size=3)
    spec["containers"] = draw(containers)
    if draw(st.booleans()):
        spec["initContainers"] = draw(containers)
    every = [*(spec.get("initContainers") or []), *spec["containers"]]
    for index, container in enumerate(every):
        container["name"] = f"{container.get('name', 'app')}-{index}"
        for member, key in (("env", "name"), ("volumeMounts", "mountPath"), ("ports", "name")):
            if member in container:
                container[member] = list({one.get(key): one for one in container[member]}.values())
        if draw(st.booleans()):  # an author that knows AWS
            name = draw(st.sampled_from(["AWS_ROLE_ARN", "AWS_REGION", "GCE_METADATA_HOST"]))
            container["env"] = [*(container.get("env") or []), {"name": name, "value": "mine"}]
        if draw(st.booleans()):
            user = draw(st.sampled_from([0, 1000, 65532]))
            container["securityContext"] = {"runAsUser": user}
    for index, volume in enumerate(spec.get("volumes") or []):
        volume["name"] = f"{volume.get('name', 'v')}-{index}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": draw(st.sampled_from([{"name": "p"}, {"name": "p", "annotations": {}}])),
        "spec": spec,
    }


def patched(pod: dict[str, Any], patch: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Return *pod* with a JSON patch, by another library."""
    return jsonpatch.apply_patch(pod, list(patch))


def check(pod: dict[str, Any], *versions: str) -> None:
    """Check a pod by the schemas of *versions*, and that names are unique."""
    for version in versions:
        kubernetes_validate.validate(pod, version, strict=True)
    spec = pod["spec"]
    every = [*(spec.get("initContainers") or []), *spec["containers"]]
    lists = [
        [one["name"] for one in every],
        [one["name"] for one in spec.get("volumes") or []],
        *([one["mountPath"] for one in each.get("volumeMounts") or []] for each in every),
        *([one["name"] for one in each.get("env") or []] for each in every),
    ]
    for names in lists:
        assert len(names) == len(set(names)), names


def expanded(value: str, variables: dict[str, str]) -> str:
    """Return *value* as the kubelet expands it.

    See: Kubernetes, third_party/forked/golang/expansion/expand.go.
    """

    def replace(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, value)
