"""`signer()` with httpx's asynchronous client in every event loop, through a refresh."""

from __future__ import annotations

from typing import Any

import pytest

import gcp_aws_bridge as bridge

from .conftest import ROLE, Pod, needs
from .verifier import verifier


@needs("anyio", "httpx", "trio", "uvloop")
@pytest.mark.parametrize(
    ("backend", "options"), [("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})]
)
def test_asynchronous_client(pod: Pod, backend: str, options: Any) -> None:
    import anyio
    import httpx

    with verifier(pod, "lambda", "hello") as server:
        hosts = [server.url.partition("://")[2]]
        signer = bridge.signer(ROLE, service="lambda", region="eu-west-1", hosts=hosts)

        async def read() -> str:
            async with httpx.AsyncClient(auth=signer) as client:
                return (await client.post(server.url, json={"word": "hello"})).json()

        pod.uses(lambda: anyio.run(read, backend=backend, backend_options=options))
