"""`Draft`: a pod with additions, and the JSON patch (RFC 6902) that makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Path = tuple[Any, ...]  # names of members and indexes of items
MEMBERS = ("initContainers", "containers")


class Draft:
    """Copy of a pod that records each addition. Nothing that the author set is changed.

    Attributes:
        pod: The pod with all additions.
        patch: The patch, with `add` operations only.
        warnings: Requests that cannot be met, each with the reason.
    """

    def __init__(self, pod: Mapping[str, Any], skipped: frozenset[str]) -> None:
        self.pod: Any = {"metadata": {}, "spec": {}, **pod}
        self.patch: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self._skipped = skipped

    @property
    def spec(self) -> Any:
        """The PodSpec."""
        return self.pod["spec"]

    def add(self, path: Path, value: Any) -> None:
        """Add *value* at *path*, whose last step may be `-`, the end of a list."""
        pointer = "".join("/" + str(one).replace("~", "~0").replace("/", "~1") for one in path)
        self.patch.append({"op": "add", "path": pointer, "value": value})
        # Copy only what is on the path: copying the pod would take longer than all other steps.
        owner = self.pod
        for step in path[:-1]:
            found = owner[step]
            owner[step] = list(found) if isinstance(found, list) else dict(found)
            owner = owner[step]
        if isinstance(owner, list):
            owner.insert(len(owner) if path[-1] == "-" else path[-1], value)
        else:
            owner[path[-1]] = value

    def at(self, path: Path) -> Any:
        """Return the value at *path*, or None."""
        found = self.pod
        for step in path:
            found = found[step] if isinstance(found, list) else (found or {}).get(step)
        return found

    def names(self, *members: str) -> list[str]:
        """Return the names of all containers in *members*, including those to skip."""
        return [one.get("name") for member in members for one in self.spec.get(member) or []]

    def add_item(
        self, path: Path, item: dict[str, Any], *, key: str = "name", index: int | str = "-"
    ) -> None:
        """Add *item* to the list at *path*, unless an item with the same *key* exists."""
        items = self.at(path)
        if not items:
            self.add(path, [item])
        elif item[key] not in (one.get(key) for one in items):
            self.add((*path, index), item)

    def containers(self, members: tuple[str, ...], *but: str) -> Iterator[tuple[Path, Any]]:
        """Yield path and content of each container that is neither skipped nor named in *but*."""
        for member in members:
            for index, one in enumerate(self.spec.get(member) or []):
                if one.get("name") not in self._skipped.union(but):
                    yield ("spec", member, index), one

    def add_to_containers(
        self,
        containers: Iterable[tuple[Path, Any]],
        variables: Mapping[str, str],
        mount: dict[str, Any] | None,
        identity: tuple[str, ...],
        defaults: Mapping[str, str],
    ) -> bool:
        """Add variables and a mount to each container that does not set an identity itself.

        Args:
            containers: Path and content of each container.
            variables: Values by name.
            mount: The mount, if one is needed.
            identity: Names of the variables by which a container sets an identity.
            defaults: Variables that are added only if the container has none of them. Empty values
                are not added.

        Returns:
            Whether at least one container has the variables. Each other one gets a warning.
        """
        given = False
        for path, container in containers:
            added = {name: escaped(value) for name, value in variables.items()}
            if found := _own_identity(container, added, mount, identity):
                text = f"container {container.get('name')} is not changed: it sets {found} itself"
                self.warnings.append(text)
                continue
            given = True
            if mount:
                self.add_item((*path, "volumeMounts"), mount, key="mountPath")
            if not defaults.keys() & {one.get("name") for one in container.get("env") or []}:
                added |= {name: escaped(value) for name, value in defaults.items() if value}
            for name, value in added.items():
                self.add_item((*path, "env"), {"name": name, "value": value})
        return given


def _own_identity(
    container: Any, added: Mapping[str, str], mount: dict[str, Any] | None, names: tuple[str, ...]
) -> str:
    """Return what sets an identity in *container*: a variable, a mount, or an empty text."""
    own = {
        one.get("name"): None if one.get("valueFrom") else one.get("value") or ""
        for one in container.get("env") or []
    }
    # An empty variable sets no identity, but one that would have to be replaced counts.
    if found := [one for one in names if one in own and own[one] != added.get(one, "")]:
        return found[0]
    mounts = container.get("volumeMounts") or []
    volumes = {str(one.get("mountPath")).rstrip("/"): one.get("name") for one in mounts}
    if mount and volumes.get(mount["mountPath"], mount["name"]) != mount["name"]:
        return f"a mount at {mount['mountPath']}"
    return ""


def escaped(value: str) -> str:
    """Escape *value* for a variable or an argument, where Kubernetes expands `$(NAME)`.

    Kubernetes API reference, EnvVar: "Double $$ are reduced to a single $".
    """
    return value.replace("$", "$$")
