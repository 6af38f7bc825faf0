"""Runs of `helm template`, and the objects that they print. Without helm, importing this skips."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from .files import CHART, IMAGE, merged

HELM = shutil.which("helm") or ""
REQUIRED = {"image": {"repository": IMAGE}}

if not HELM or not CHART.exists():
    pytest.skip("helm is missing: `nox -s chart` installs it", allow_module_level=True)

Document = dict[str, Any]


class Rejected(Exception):
    """Helm's error."""


def run_helm(*arguments: str, values: object = None, env: dict[str, str] | None = None) -> str:
    """Run helm with *values* in addition to those that the chart requires; return its output."""
    command = [HELM, *arguments, "--values=-"]
    standard_input = json.dumps(merged(REQUIRED, values or {}))
    done = subprocess.run(command, input=standard_input, capture_output=True, text=True, env=env)
    if done.returncode:
        raise Rejected(done.stderr)
    return done.stdout


def render(
    values: object = None,
    *,
    release: str = "bridge",
    namespace: str = "aws-bridge",
    kube_version: str = "1.33",
) -> list[Document]:
    """Return the objects of the chart with these values."""
    text = _text(json.dumps(values), release, namespace, kube_version)
    return [document for document in yaml.safe_load_all(text) if document]


@cache
def _text(values: str, release: str, namespace: str, kube_version: str) -> str:
    options = ("--namespace", namespace, "--kube-version", kube_version)
    return run_helm("template", release, str(CHART), *options, values=json.loads(values))


def one(documents: list[Document], kind: str) -> Document:
    """Return the only object of this kind."""
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def pod_of(documents: list[Document]) -> Document:
    """Return the pod template of the Deployment."""
    template: Document = one(documents, "Deployment")["spec"]["template"]
    return template


def container_of(documents: list[Document]) -> Document:
    [container] = pod_of(documents)["spec"]["containers"]
    found: Document = container
    return found
