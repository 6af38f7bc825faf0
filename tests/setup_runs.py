"""A machine on which `gcp-aws-bridge setup` writes a script and bash runs it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEYS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "not-a-secret"}
PROGRAMS = Path(__file__).parent / "clients/programs"
AWS = shutil.which("aws", path=str(Path(sys.executable).parent))
BASH = shutil.which("bash")
# A pod in which a container of gtoken writes the token file.
GTOKEN_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: etl}
spec:
  containers:
    - name: etl
      image: etl
      env:
        - {name: AWS_ROLE_ARN, value: "arn:aws:iam::123456789012:role/etl"}
        - {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /token/gtoken}
      volumeMounts: [{name: token, mountPath: /token}]
    - name: update
      image: doitintl/gtoken:latest
      volumeMounts: [{name: token, mountPath: /token}]
  volumes: [{name: token, emptyDir: {}}]
"""


class SetupMachine:
    """A home folder with stand-ins for gcloud and kubectl on PATH; a subclass adds the AWS CLI.

    Args:
        url: AWS services for the AWS CLI.
        platforms: Options of `setup` for each platform.
    """

    options: Sequence[str] = ()

    def __init__(self, folder: Path, url: str, platforms: Mapping[str, Sequence[str]]) -> None:
        self.folder = folder
        self._platforms = platforms
        self.bin = folder / "bin"
        self.bin.mkdir()
        source = (PROGRAMS / "cloud_cli.py").read_text(encoding="utf-8")
        for name in ("gcloud", "kubectl"):
            path = self.bin / name
            path.write_text(f"#!{sys.executable}\n{source}")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self.environ = {
            "PATH": f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
            "SETUP_PAUSE_S": "0",
        }

    @property
    def state(self) -> dict[str, Any]:
        """State of the stand-ins."""
        path = self.bin / "state.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def put(self, state: dict[str, Any]) -> None:
        """Replace the state of the stand-ins."""
        (self.bin / "state.json").write_text(json.dumps(state))

    def setup(self, platform: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run `gcp-aws-bridge setup`, which prints the script."""
        command = [sys.executable, "-m", "gcp_aws_bridge", "setup", f"--on={platform}"]
        return subprocess.run(
            [*command, *self._platforms[platform], *self.options, *more],
            capture_output=True,
            text=True,
            check=False,
            env=self.environ,
            stdin=subprocess.DEVNULL,
        )

    def execute(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run *script* with bash."""
        return subprocess.run(
            [str(BASH)],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            env=self.environ,
            cwd=self.folder,
        )
