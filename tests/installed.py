"""Fails unless the imported package is the complete installed one."""

from __future__ import annotations

import importlib.metadata
import sysconfig
from pathlib import Path

import gcp_aws_bridge

FILES = {str(file) for file in importlib.metadata.files("gcp-aws-bridge") or ()}

here = Path(gcp_aws_bridge.__file__)
assert here.is_relative_to(sysconfig.get_path("purelib")), here
assert {"gcp_aws_bridge/py.typed", "gcp_aws_bridge/google/__init__.py"} <= FILES
assert any(file.endswith(".dist-info/licenses/LICENSE") for file in FILES)
assert not [file for file in FILES if file.startswith("tests/")]
