"""An MCP server behind SigV4, as Bedrock AgentCore's, and MCP's client with `signer()`."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from fakes import eventually

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator.answers import AwsError
from gcp_aws_bridge.emulator.sigv4 import SignedRequest, verify

from .conftest import ROLE, Pod, needs

pytestmark = needs("mcp", "httpx2")

PAGE = Path(__file__).parents[2] / "docs/how-to/signers.md"
REFUSED: list[str] = []
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Verified:
    """ASGI middleware that passes on requests with a valid signature, and answers 403 to others."""

    def __init__(self, app: Any, pod: Pod) -> None:
        self._app, self._pod = app, pod

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _body_of(receive)
        try:
            self._pod.s3.keys.append(self._signer_of(scope, body))
        except AwsError as error:
            REFUSED.append(error.code)
            headers = [(b"x-amzn-errortype", error.code.encode())]
            await send({"type": "http.response.start", "status": error.status, "headers": headers})
            await send({"type": "http.response.body", "body": error.message.encode()})
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> dict[str, Any]:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, again, send)

    def _signer_of(self, scope: Any, body: bytes) -> str:
        headers = Message()
        for name, value in scope["headers"]:
            headers[name.decode()] = value.decode("latin-1")
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        return verify(
            SignedRequest(scope["method"], path, query, headers, body),
            service="bedrock-agentcore",
            find_key=self._pod.cloud.key,
            now=self._pod.cloud.clock(),
            max_skew_s=float("inf"),
        ).access_key_id


async def _body_of(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


@pytest.fixture
def server(pod: Pod) -> Iterator[str]:
    """Serve a tool on loopback; yield the host and port."""
    import uvicorn

    REFUSED.clear()
    from mcp.server import MCPServer

    mcp = MCPServer("words")

    @mcp.tool()
    def word(number: int) -> str:
        return "hello" * number

    config = uvicorn.Config(
        Verified(mcp.streamable_http_app(), pod), port=0, log_level="warning", lifespan="on"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        eventually(lambda: running.started)
        yield f"127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(10)


@contextlib.asynccontextmanager
async def connected(host: str, auth: Any) -> AsyncIterator[Any]:
    import httpx2
    from mcp.client import Client
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(auth=auth) as http:
        transport = streamable_http_client(f"http://{host}/mcp", http_client=http)
        async with Client(transport) as client:
            yield client


async def said(host: str, auth: Any) -> str:
    async with connected(host, auth) as client:
        [content] = (await client.call_tool("word", {"number": 1})).content
        return str(content.text)


def signer(host: str) -> Any:
    service = "bedrock-agentcore"
    return bridge.signer(ROLE, service=service, region="eu-west-1", hosts=[host])


def test_each_request_of_a_session_is_signed(pod: Pod, server: str) -> None:
    auth = signer(server)
    pod.uses(lambda: asyncio.run(said(server, auth)))


def test_session_continues_after_a_refresh_and_a_revoked_key(pod: Pod, server: str) -> None:
    async def talk() -> list[str]:
        async with connected(server, signer(server)) as client:
            keys = []
            for change in (
                lambda: None,
                lambda: pod.travel(minutes=61),
                lambda: pod.cloud.revoke(pod.s3.keys[-1]),
            ):
                change()
                answer = await client.call_tool("word", {"number": 2})
                assert "hellohello" == answer.content[0].text
                keys.append(pod.s3.keys[-1])
            return keys

    assert (3, 3) == (len(set(asyncio.run(talk()))), pod.exchanges)


def test_request_without_a_signature_is_rejected(pod: Pod, server: str) -> None:
    with pytest.raises(Exception, match="TaskGroup"):
        asyncio.run(said(server, None))
    assert ({"MissingAuthenticationToken"}, []) == ({*REFUSED}, pod.s3.keys)


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_code_of_the_page_runs(pod: Pod, server: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    [code] = [block for block in blocks if "mcp" in block]
    exec(compile(code, "<page>", "exec"), {"HOST": server, "URL": f"http://{server}"})
    assert "hello" in capsys.readouterr().out
    assert 1 == pod.exchanges
