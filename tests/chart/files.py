"""The chart's files, and values for it."""

from __future__ import annotations

import json
from typing import Any

import yaml
from pages import DOCS

CHART = DOCS / "kubernetes/chart"
IMAGE = "registry.example.com/gcp-aws-bridge"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def text_of(name: str) -> str:
    return (CHART / name).read_text(encoding="utf-8")


def defaults() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text_of("values.yaml"))
    return found


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of("values.schema.json"))
    return found


def merged(under: Any, over: Any) -> Any:
    """Return *over* merged into *under*, as Helm merges values."""
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: merged(under.get(key), value) for key, value in over.items()}
    return over
