"""The code of docs/how-to runs as printed, against an S3 that rejects invalid signatures."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

import gcp_aws_bridge as bridge

from .conftest import Pod, needs
from .verifier import verifier

with contextlib.suppress(ImportError):
    import polars  # noqa: F401 - sets an environment variable on import

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
SERVICES = ["execute-api", "aoss", "kafka-cluster"]
# What the code of each page needs, and the service that it signs for if that is not S3.
PAGES = {
    "async.md": (["aiobotocore"], [None]),
    "data.md": (["s3fs", "polars", "obstore", "aws_sdk_bedrock_runtime"], [None] * 8),
    # tests/engines runs the other blocks of this page.
    "distributed.md": (["s3fs", "dask"], [None]),
    # test_mcp.py runs the other block of this page.
    "signers.md": (["httpx", "opensearchpy", "aws_msk_iam_sasl_signer"], SERVICES),
}

pytestmark = pytest.mark.skipif(not HOW_TO.exists(), reason="not in a source checkout")


def blocks() -> list[object]:
    found: list[object] = []
    for page, (modules, services) in PAGES.items():
        text = (HOW_TO / page).read_text(encoding="utf-8") if HOW_TO.exists() else ""
        code = [one for one in re.findall(r"```python\n(.*?)```", text, re.S) if "mcp" not in one]
        for number, (block, service) in enumerate(zip(code, services, strict=False)):
            name = f"{page}-{number}"
            found.append(pytest.param(block, service, id=name, marks=needs(*modules)))
    return found


@pytest.fixture
def filled(pod: Pod) -> Pod:
    """Upload the objects that the pages read."""
    pandas = pytest.importorskip("pandas")
    for name in ("part.parquet", "numbers/0.parquet", "numbers/1.parquet", "table/0.parquet"):
        body = pandas.DataFrame({"number": [1, 2]}).to_parquet()
        pod.s3.owner.put_object(Bucket="bucket", Key=name, Body=body)
    return pod


@pytest.mark.parametrize(("code", "service"), blocks())
def test_a_block_of_code_runs(filled: Pod, code: str, service: str | None) -> None:
    answer = {"_index": "words", "_id": "1", "found": True, "_source": {}}
    with verifier(filled, service or "es", answer) as server:
        names: dict[str, Any] = {"__name__": "page", "bridge": bridge, "URL": server.url}
        names["HOST"] = server.url.partition("://")[2]
        # The only difference for a reader: moto has no TLS.
        url = filled.s3.url
        names["STORAGE"] = {"aws_endpoint_url": url, "aws_allow_http": "true"}
        names["STORE"] = {"endpoint": url, "client_options": {"allow_http": True}}
        exec(compile(code, "<page>", "exec"), names)
        if "client" in names:
            names["client"].close()
    if not {"kafka-cluster", "aws_sdk_bedrock_runtime"} & {service, *re.findall(r"\w+", code)}:
        assert filled.s3.keys
        assert 1 == filled.exchanges
