"""The commands and the values on the chart's page."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from pages import ROOT, blocks_of

from .helm import HELM, one, render
from .matrix import WITHOUT_SCHEMA

PAGE = "kubernetes/README.md"


def test_command_writes_manifests(tmp_path: Path) -> None:
    [block] = [block for block in blocks_of(PAGE, "sh") if not block.not_run]
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    path = f"{Path(HELM).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["sh", "-euc", block.code]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    documents = [*yaml.safe_load_all((tmp_path / "webhook.yaml").read_text(encoding="utf-8"))]
    for document in documents:
        if document["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(document, "1.33", strict=True)
    assert one(documents, "Deployment")["metadata"]["namespace"] == "aws-credentials"


def test_values_are_accepted() -> None:
    [block] = blocks_of(PAGE, "yaml")
    kinds = {document["kind"] for document in render(yaml.safe_load(block.code))}
    assert {"Certificate", "Deployment", "ServiceMonitor"} <= kinds


@pytest.mark.parametrize("mode", ["selfSigned", "certManager", "existingSecret"])
def test_every_mode_of_certificates_is_in_the_table(mode: str) -> None:
    text = (ROOT / "docs" / PAGE).read_text(encoding="utf-8")
    assert f"\n| `{mode}`" in text
