"""`gcp-aws-bridge inject` as a post-renderer of Helm, by the plugin of the page."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml
from pages import DOCS, programs

from .helm import HELM

PLUGIN = DOCS / "kubernetes/helm-plugin"
ROLE = "arn:aws:iam::123456789012:role/etl"
CHART = """\
apiVersion: v2
name: reports
version: 0.1.0
"""
TEMPLATE = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: reports
  annotations: {gcp-aws-bridge/role-arn: "{{ .Values.role }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reports}
spec:
  selector: {matchLabels: {app: reports}}
  template:
    metadata: {labels: {app: reports}}
    spec:
      serviceAccountName: reports
      containers: [{name: app, image: app}]
"""


def test_the_pods_of_a_chart_get_credentials(tmp_path: Path) -> None:
    chart = tmp_path / "reports"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(CHART)
    (chart / "templates/all.yaml").write_text(TEMPLATE)
    folders = {f"HELM_{name}_HOME": str(tmp_path / name) for name in ("DATA", "CACHE", "CONFIG")}
    env = {**os.environ, **folders, "PATH": programs(tmp_path / "bin")}

    def helm(*arguments: str) -> str:
        done = subprocess.run([HELM, *arguments], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    helm("plugin", "install", str(PLUGIN))
    renderer = ("--post-renderer", "gcp-aws-bridge")
    text = helm("template", "reports", str(chart), "--set", f"role={ROLE}", *renderer)
    [deployment] = [one for one in yaml.safe_load_all(text) if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "AWS_ROLE_ARN", "value": ROLE} in container["env"]
