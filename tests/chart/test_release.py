"""What release.yml does with the chart, as far as it needs no registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from pages import ROOT

from gcp_aws_bridge._version import __version__

from .files import CHART, DIGEST, IMAGE
from .helm import HELM

WORKFLOW = ROOT / ".github/workflows/release.yml"


def package(folder: Path, digest: str) -> Path:
    """Run the workflow's step that packages the chart, in a copy of the chart's folder."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["chart"]["steps"]
    [script] = [step["run"] for step in steps if "helm package" in step.get("run", "")]
    shutil.copytree(CHART, folder / "docs/kubernetes/chart")
    path = f"{Path(HELM).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "IMAGE": IMAGE, "DIGEST": digest}
    # The shell options of GitHub's runners.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    subprocess.run(command, cwd=folder, env=variables, check=True)
    return folder / f"gcp-aws-bridge-{__version__}.tgz"


def test_released_chart_has_the_digest_of_the_image(tmp_path: Path) -> None:
    with tarfile.open(package(tmp_path, DIGEST)) as archive:
        file = archive.extractfile("gcp-aws-bridge/values.yaml")
        assert file is not None
        image = yaml.safe_load(file)["image"]
        names = archive.getnames()
    assert (image["repository"], image["digest"]) == (IMAGE, DIGEST)
    assert "gcp-aws-bridge/values.schema.json" in names


def test_chart_without_a_digest_is_not_released(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        package(tmp_path, "")
