"""Versions of what is measured, and where the library was imported from."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import gcp_aws_bridge

PACKAGES = ("boto3", "botocore", "google-auth", "requests", "urllib3")
OF_SOME_ROWS = ("aiobotocore", "awscli", "uvicorn", "h11", "prometheus-client")


def if_installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


print(
    json.dumps(
        {
            "gcp-aws-bridge": gcp_aws_bridge.__version__,
            "from": str(Path(gcp_aws_bridge.__file__).parent),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **{name: version(name) for name in PACKAGES},
            **{name: if_installed(name) for name in OF_SOME_ROWS},
        }
    )
)
