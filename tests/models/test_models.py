"""Clients of model services, each through a refresh: Bedrock from GKE, Vertex AI from EKS."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from verifier import Verifier

from gcp_aws_bridge import google
from gcp_aws_bridge.testing import EksPod, GkePod

from .conftest import Vertex, uses

PAGE = Path(__file__).parents[2] / "docs/how-to/models.md"
MESSAGES = [{"role": "user", "content": "Say hello."}]
ON_BEDROCK = {"model": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "messages": MESSAGES}
ON_VERTEX = {"model": "claude-sonnet-4-5@20250929", "messages": MESSAGES}
PROJECT, REGION = "my-project", "europe-west1"

ABSENT = [
    name for name in ("anthropic", "google.genai", "litellm") if not importlib.util.find_spec(name)
]
# The session installs all of them.
assert not ABSENT or os.environ.get("NOX_CURRENT_SESSION") != "models", ABSENT
pytestmark = [
    pytest.mark.skipif(bool(ABSENT), reason=f"without {', '.join(ABSENT)}: nox -s models"),
    # The first import of litellm takes ten seconds of processor time.
    pytest.mark.timeout(180),
    # About types that litellm declares, and about google-genai's session of aiohttp.
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning"),
]


async def cancel_all() -> None:
    """Cancel the tasks of the event loop: litellm's, which write logs."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Clients of asyncio keep their connections, which belong to one event loop."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(cancel_all())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = importlib.util.find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    # litellm sets it when it is imported; the tests restore the environment.
    tokenizers = Path(found.origin).parent / "litellm_core_utils/tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tokenizers))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    return litellm


# -- Bedrock -------------------------------------------------------------------------------------


def test_anthropic_on_bedrock(gke_pod: GkePod, bedrock: Verifier) -> None:
    from anthropic import AnthropicBedrock

    with AnthropicBedrock(aws_region="eu-west-1") as client:
        uses(
            gke_pod,
            bedrock.keys,
            lambda: client.messages.create(max_tokens=9, **ON_BEDROCK).content[0].text,
        )


def test_anthropic_on_bedrock_with_asyncio(
    gke_pod: GkePod, bedrock: Verifier, loop: asyncio.AbstractEventLoop
) -> None:
    from anthropic import AsyncAnthropicBedrock

    client = AsyncAnthropicBedrock(aws_region="eu-west-1")

    async def ask() -> str:
        return (await client.messages.create(max_tokens=9, **ON_BEDROCK)).content[0].text

    uses(gke_pod, bedrock.keys, lambda: loop.run_until_complete(ask()))
    loop.run_until_complete(client.close())


@pytest.mark.parametrize("route", ["", "converse/", "invoke/"])
def test_litellm_on_bedrock(gke_pod: GkePod, bedrock: Verifier, litellm: Any, route: str) -> None:
    request = {**ON_BEDROCK, "model": f"bedrock/{route}{ON_BEDROCK['model']}"}

    def ask() -> str:
        answer = litellm.completion(aws_region_name="eu-west-1", **request)
        return answer.choices[0].message.content

    uses(gke_pod, bedrock.keys, ask)


def test_litellm_on_bedrock_with_asyncio(
    gke_pod: GkePod, bedrock: Verifier, litellm: Any, loop: asyncio.AbstractEventLoop
) -> None:
    request = {**ON_BEDROCK, "model": f"bedrock/{ON_BEDROCK['model']}"}

    async def ask() -> str:
        answer = await litellm.acompletion(aws_region_name="eu-west-1", **request)
        return answer.choices[0].message.content

    uses(gke_pod, bedrock.keys, lambda: loop.run_until_complete(ask()))


# -- Vertex AI -----------------------------------------------------------------------------------


def test_google_genai(eks_pod: EksPod, vertex: Vertex) -> None:
    from google import genai

    client = genai.Client(vertexai=True, project=PROJECT, location=REGION)
    request = {"model": "gemini-2.5-flash", "contents": "Say hello."}
    uses(eks_pod, vertex.keys, lambda: client.models.generate_content(**request).text)
    client.close()


def test_google_genai_with_asyncio(
    eks_pod: EksPod, vertex: Vertex, loop: asyncio.AbstractEventLoop
) -> None:
    from google import genai

    client = genai.Client(vertexai=True, project=PROJECT, location=REGION)

    async def ask() -> str:
        request = {"model": "gemini-2.5-flash", "contents": "Say hello."}
        return (await client.aio.models.generate_content(**request)).text

    uses(eks_pod, vertex.keys, lambda: loop.run_until_complete(ask()))
    loop.run_until_complete(client.aio.aclose())


def test_anthropic_on_vertex(eks_pod: EksPod, vertex: Vertex) -> None:
    from anthropic import AnthropicVertex

    with AnthropicVertex(project_id=PROJECT, region=REGION) as client:
        uses(
            eks_pod,
            vertex.keys,
            lambda: client.messages.create(max_tokens=9, **ON_VERTEX).content[0].text,
        )


def test_anthropic_on_vertex_with_asyncio(
    eks_pod: EksPod, vertex: Vertex, loop: asyncio.AbstractEventLoop
) -> None:
    from anthropic import AsyncAnthropicVertex

    client = AsyncAnthropicVertex(project_id=PROJECT, region=REGION)

    async def ask() -> str:
        return (await client.messages.create(max_tokens=9, **ON_VERTEX)).content[0].text

    uses(eks_pod, vertex.keys, lambda: loop.run_until_complete(ask()))
    loop.run_until_complete(client.close())


def test_anthropic_on_vertex_with_credentials(eks_pod: EksPod, vertex: Vertex) -> None:
    from anthropic import AnthropicVertex

    google.uninstall()
    given = {"project_id": PROJECT, "region": REGION, "credentials": google.credentials()}
    with AnthropicVertex(**given) as client:
        uses(
            eks_pod,
            vertex.keys,
            lambda: client.messages.create(max_tokens=9, **ON_VERTEX).content[0].text,
        )


LITELLM_ON_VERTEX = {
    "model": "vertex_ai/gemini-2.5-flash",
    "messages": MESSAGES,
    "vertex_project": PROJECT,
    "vertex_location": REGION,
}


def test_litellm_on_vertex(eks_pod: EksPod, vertex: Vertex, litellm: Any) -> None:
    def ask() -> str:
        return litellm.completion(**LITELLM_ON_VERTEX).choices[0].message.content

    uses(eks_pod, vertex.keys, ask)


def test_litellm_on_vertex_with_asyncio(
    eks_pod: EksPod, vertex: Vertex, litellm: Any, loop: asyncio.AbstractEventLoop
) -> None:
    async def ask() -> str:
        return (await litellm.acompletion(**LITELLM_ON_VERTEX)).choices[0].message.content

    uses(eks_pod, vertex.keys, lambda: loop.run_until_complete(ask()))


# -- the page ------------------------------------------------------------------------------------


def blocks() -> list[str]:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
@pytest.mark.parametrize("code", blocks(), ids=lambda code: code.split()[1])
def test_code_of_the_page_runs(
    code: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if "litellm" in code:
        request.getfixturevalue("litellm")
    is_bedrock = "bridge.install" in code
    server = request.getfixturevalue("bedrock" if is_bedrock else "vertex")
    pod = request.getfixturevalue("gke_pod" if is_bedrock else "eks_pod")
    names: dict[str, Any] = {}
    exec(compile(code, "<page>", "exec"), names)
    assert "hello\n" == capsys.readouterr().out
    assert (1, 1) == (len(server.keys), pod.exchanges)
    if "client" in names:
        names["client"].close()
