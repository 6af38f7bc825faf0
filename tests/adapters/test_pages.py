"""The code of docs/how-to runs as it stands, against an S3 that would refuse what is not whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gcp_aws_bridge as bridge

from .conftest import Pod, needs
from .verifier import verifier

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
SERVICES = ["aoss", "kafka-cluster", "es"]
# What each page's code needs, and the service that its signatures are for where that is not S3.
PAGES = {
    "async.md": (["aiobotocore"], [None]),
    "data.md": (["s3fs", "dask", "polars", "obstore", "deltalake"], [None] * 9),
    "signers.md": (["opensearchpy", "aws_msk_iam_sasl_signer", "requests_aws4auth"], SERVICES),
}

pytestmark = pytest.mark.skipif(not HOW_TO.exists(), reason="not in a source checkout")


def blocks() -> list[object]:
    found: list[object] = []
    for page, (modules, services) in PAGES.items():
        text = (HOW_TO / page).read_text(encoding="utf-8") if HOW_TO.exists() else ""
        code = re.findall(r"```python\n(.*?)```", text, re.S)
        for number, (block, service) in enumerate(zip(code, services, strict=False)):
            name = f"{page}-{number}"
            found.append(pytest.param(block, service, id=name, marks=needs(*modules)))
    return found


@pytest.fixture
def filled(pod: Pod) -> Pod:
    """What the pages read."""
    import pandas

    for name in ("part.parquet", "numbers/0.parquet", "numbers/1.parquet"):
        body = pandas.DataFrame({"number": [1, 2]}).to_parquet()
        pod.s3.owner.put_object(Bucket="bucket", Key=name, Body=body)
    return pod


@pytest.mark.parametrize(("code", "service"), blocks())
def test_a_block_of_code_runs(filled: Pod, code: str, service: str | None) -> None:
    answer = {"_index": "words", "_id": "1", "found": True, "_source": {}}
    with verifier(filled, service or "es", answer) as server:
        names = {"__name__": "page", "bridge": bridge, "URL": server.url}
        exec(compile(code, "<page>", "exec"), names)
    assert filled.s3.keys or service == "kafka-cluster"  # which is for a broker
    assert 1 == filled.exchanges
