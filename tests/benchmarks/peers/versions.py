"""What is measured: versions, and where the library was imported from."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import gcp_aws_bridge

packages = ("boto3", "botocore", "google-auth", "requests", "urllib3", "cachetools")
print(
    json.dumps(
        {
            "gcp-aws-bridge": gcp_aws_bridge.__version__,
            "from": str(Path(gcp_aws_bridge.__file__).parent),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **{name: version(name) for name in packages},
        }
    )
)
