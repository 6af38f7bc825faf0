"""The cost of importing the library on top of boto3, and the modules that it loads."""

import json
import sys
import time

import boto3  # noqa: F401 - not part of the cost

UNWANTED = ("google.auth", "google.oauth2", "requests", "aiobotocore", "cryptography")

before = set(sys.modules)
started = time.perf_counter()
import gcp_aws_bridge as bridge  # noqa: E402

imported = time.perf_counter()
for name in bridge.__all__:
    getattr(bridge, name)
resolved = time.perf_counter()
new = set(sys.modules) - before
print(
    json.dumps(
        {
            "import_ms": (imported - started) * 1000,
            "names_ms": (resolved - started) * 1000,
            "modules": len(new),
            "unwanted": sorted(
                name
                for name in sys.modules
                if any(name == root or name.startswith(f"{root}.") for root in UNWANTED)
            ),
        }
    )
)
