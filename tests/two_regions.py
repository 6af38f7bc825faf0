"""Two regions of STS on loopback, each with its own address in botocore's data files.

`AWS_ENDPOINT_URL_STS` is one address for all regions. botocore looks for its data in the folders of
`AWS_DATA_PATH` first, so an `endpoints.json` there names one for each region. For botocore's own
clients, a rule set does the same (botocore reference, "Loaders").
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.loaders

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.sts import STS

WEST, CENTRAL = "eu-west-1", "eu-central-1"
REGIONS = (WEST, CENTRAL)
BOTH = ("--sts-region", WEST, "--sts-region", CENTRAL)


@contextlib.contextmanager
def second_sts(cloud: Emulator) -> Iterator[STS]:
    """Yield STS of another region, with the accounts of *cloud*."""
    sts = STS(cloud._accounts, cloud._google, cloud._now)
    sts.host = cloud.sts.host
    sts.forget()
    sts.start()
    try:
        yield sts
    finally:
        sts.reset()  # ends requests that hang
        sts.stop()


def data_path(folder: Path, urls: Mapping[str, str], *, rules: bool = False) -> str:
    """Write botocore's data files with these addresses of STS, and return their folder.

    Args:
        rules: Also write a rule set, with which sessions use botocore's client.
    """
    document = json.loads(_endpoints())
    endpoints = document["partitions"][0]["services"]["sts"]["endpoints"]
    for region, url in urls.items():
        parts = urlsplit(url)
        endpoints[region] = {"hostname": parts.netloc, "protocols": [parts.scheme]}
    version = folder / "sts" / "2011-06-15"
    (version if rules else folder).mkdir(parents=True, exist_ok=True)
    (folder / "endpoints.json").write_text(json.dumps(document))
    if rules:
        (version / "endpoint-rule-set-1.json").write_text(json.dumps(_rules(urls)))
    return str(folder)


@functools.cache
def _endpoints() -> str:
    return json.dumps(botocore.loaders.create_loader().load_data("endpoints"))


def _rules(urls: Mapping[str, str]) -> dict[str, Any]:
    region = {"type": "String", "builtIn": "AWS::Region", "documentation": ""}
    rules = [
        {
            "conditions": [{"fn": "stringEquals", "argv": [{"ref": "Region"}, name]}],
            "endpoint": {"url": url, "properties": {}, "headers": {}},
            "type": "endpoint",
        }
        for name, url in urls.items()
    ]
    required = {**region, "required": True}
    return {"version": "1.0", "parameters": {"Region": required}, "rules": rules}
