"""The code of docs/how-to runs as it stands, against an S3 that would refuse what is not whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gcp_aws_bridge as bridge

from .conftest import Pod, needs

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
PAGES = {"async.md": ["aiobotocore"], "data.md": ["s3fs", "dask", "polars", "obstore", "deltalake"]}

pytestmark = pytest.mark.skipif(not HOW_TO.exists(), reason="not in a source checkout")


def blocks() -> list[object]:
    found: list[object] = []
    for page, modules in PAGES.items():
        text = (HOW_TO / page).read_text(encoding="utf-8") if HOW_TO.exists() else ""
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.S)):
            name = f"{page}-{number}"
            found.append(pytest.param(code, id=name, marks=needs(*modules)))
    return found


@pytest.fixture
def filled(pod: Pod) -> Pod:
    """What the pages read."""
    import pandas

    for name in ("part.parquet", "numbers/0.parquet", "numbers/1.parquet"):
        body = pandas.DataFrame({"number": [1, 2]}).to_parquet()
        pod.s3.owner.put_object(Bucket="bucket", Key=name, Body=body)
    return pod


@pytest.mark.parametrize("code", blocks())
def test_a_block_of_code_runs(filled: Pod, code: str) -> None:
    exec(compile(code, "<page>", "exec"), {"__name__": "page", "bridge": bridge})
    assert filled.s3.keys
    assert 1 == filled.exchanges
