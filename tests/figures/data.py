"""Data of the pictures: docs/figures/data, one JSON document for each picture."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "figures"


def read(name: str) -> dict[str, Any]:
    """Return the document of one picture."""
    path = FOLDER / "data" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(name: str, command: str, versions: Mapping[str, Any], **measured: Any) -> None:
    """Write what *command* measured, with the versions that it measured."""
    document = {"command": command, "versions": dict(versions), **measured}
    path = FOLDER / "data" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_json(document) + "\n", encoding="utf-8", newline="\n")


def versions_here(packages: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of this library, of Python, and of *packages*."""
    names = ("gcp-aws-bridge", *packages)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def made_by(name: str, document: Mapping[str, Any]) -> str:
    """Return the data file, the command and the versions of a picture, for its description."""
    versions = ", ".join(f"{what} {which}" for what, which in document["versions"].items())
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]
    return (
        f"Drawn by `nox -s figures` from docs/figures/data/{name}.json ({digest}), "
        f"which `{document['command']}` made with {versions}."
    )


def _json(value: Any, depth: int = 0) -> str:
    """Return *value* as JSON, with rows and deeply nested values on one line each."""
    flat = json.dumps(value, ensure_ascii=False)
    if depth == 3 or len(flat) < 96 or not isinstance(value, (dict, list)):
        return flat
    if not any(isinstance(each, (dict, list)) for each in value) and isinstance(value, list):
        return flat
    inner = " " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_json(each, depth + 1)}" for key, each in value.items()]
    else:
        parts = [_json(each, depth + 1) for each in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{' ' * depth}{closing}"
