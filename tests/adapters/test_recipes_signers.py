"""Signers that use botocore's credentials or session: one line of code each."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator, sigv4

from .conftest import ROLE, Pod, needs
from .verifier import Verifier, verifier

FOUND = {"_index": "words", "_id": "1", "found": True, "_source": {"word": "hello"}}
MESSAGE = {"role": "assistant", "content": [{"type": "text", "text": "hello"}]}
# Answers of Anthropic's model and of Converse: each client reads one of them.
SAID = {
    **MESSAGE,
    **{"id": "msg_1", "type": "message", "model": "m", "stop_reason": "end_turn"},
    "usage": {"input_tokens": 1, "output_tokens": 1}
    | dict.fromkeys(("inputTokens", "outputTokens", "totalTokens"), 1),
    **{"output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}}},
    **{"stopReason": "end_turn", "metrics": {"latencyMs": 1}},
}


@pytest.fixture
def bedrock(pod: Pod) -> Iterator[Verifier]:
    with verifier(pod, "bedrock", SAID) as server:
        yield server


# -- OpenSearch ----------------------------------------------------------------------------------


@needs("opensearchpy")
@pytest.mark.parametrize("service", ["es", "aoss"])
@pytest.mark.parametrize(
    ("connection", "auth"),
    [
        ("Urllib3HttpConnection", "Urllib3AWSV4SignerAuth"),
        ("RequestsHttpConnection", "RequestsAWSV4SignerAuth"),
        ("RequestsHttpConnection", "AWSV4SignerAuth"),
    ],
)
def test_opensearch(pod: Pod, connection: str, auth: str, service: str) -> None:
    import opensearchpy

    signer = getattr(opensearchpy, auth)(bridge.credentials(ROLE), "us-east-1", service)
    with verifier(pod, service, FOUND) as server:
        client = opensearchpy.OpenSearch(
            server.url,
            http_auth=signer,
            connection_class=getattr(opensearchpy, connection),
        )
        document = {"index": "words", "id": "1", "_source": "word,other"}
        pod.uses(lambda: client.get(**document)["_source"]["word"])
        client.close()


@needs("opensearchpy", "aiohttp")
def test_opensearch_of_asyncio(pod: Pod) -> None:
    from opensearchpy import AsyncHttpConnection, AsyncOpenSearch, AWSV4SignerAsyncAuth

    credentials = bridge.credentials(ROLE)

    async def read(url: str) -> str:
        await asyncio.to_thread(credentials.get_frozen_credentials)  # it signs in the event loop
        auth = AWSV4SignerAsyncAuth(credentials, "us-east-1", "aoss")
        async with AsyncOpenSearch(
            url, http_auth=auth, connection_class=AsyncHttpConnection
        ) as client:
            return (await client.get(index="words", id="1"))["_source"]["word"]

    with verifier(pod, "aoss", FOUND) as server:
        pod.uses(lambda: asyncio.run(read(server.url)))


@needs("opensearchpy")
def test_recipe_with_reject_replaces_a_revoked_key(pod: Pod) -> None:
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth
    from opensearchpy.exceptions import AuthorizationException

    credentials = bridge.credentials(ROLE)

    def read(client: OpenSearch) -> str:
        try:
            return client.get(index="words", id="1")["_source"]["word"]
        except AuthorizationException:
            if not credentials.reject(credentials.access_key):
                raise
            return client.get(index="words", id="1")["_source"]["word"]

    with verifier(pod, "es", FOUND) as server:
        auth = Urllib3AWSV4SignerAuth(credentials, "us-east-1", "es")
        client = OpenSearch(server.url, http_auth=auth)
        first = pod.signers(lambda: read(client))
        pod.cloud.revoke(*first)
        assert first.isdisjoint(pod.signers(lambda: read(client)))
        assert ["InvalidClientTokenId"] == server.errors
        client.close()


# -- requests ------------------------------------------------------------------------------------


@needs("requests_aws4auth")
def test_requests(pod: Pod) -> None:
    import requests
    from requests_aws4auth import AWS4Auth

    auth = AWS4Auth(
        refreshable_credentials=bridge.credentials(ROLE), region="us-east-1", service="es"
    )
    with verifier(pod, "es", "hello") as server, requests.Session() as session:
        session.auth = auth
        pod.uses(lambda: session.get(server.url, timeout=30).json())


# -- Kafka ---------------------------------------------------------------------------------------


def signer_of(token: str, cloud: Emulator) -> str:
    """Return the caller that a broker of MSK finds in a token: a presigned URL in base64."""
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert ("kafka-cluster:Connect", "host") == (
        parameters["Action"],
        parameters["X-Amz-SignedHeaders"],
    )
    authorization = sigv4._presigned(parameters)
    assert ("us-east-1", "kafka-cluster") == (authorization.region, authorization.service)
    key = cloud.key(authorization.access_key_id)
    assert key is not None
    assert key.session_token == parameters["X-Amz-Security-Token"]
    assert key.expiration is not None
    assert cloud.clock() < key.expiration
    # Parameters that were added after the signature are not signed.
    signed = "&".join(
        pair
        for pair in url.query.split("&")
        if not pair.startswith(("X-Amz-Signature=", "User-Agent="))
    )
    headers = Message()
    headers["Host"] = url.netloc
    request = sigv4.SignedRequest("GET", url.path, signed, headers, b"")
    computed = sigv4._signature(request, authorization, parameters["X-Amz-Date"], key)
    assert computed == authorization.signature
    return key.access_key_id


@needs("aws_msk_iam_sasl_signer")
@pytest.mark.parametrize("installed", [False, True])
def test_kafka(pod: Pod, installed: bool) -> None:
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.credentials import CredentialProvider

    class Frozen(CredentialProvider):
        credentials = bridge.credentials(ROLE)

        def load(self) -> Any:
            return self.credentials.get_frozen_credentials()

    def read() -> str:
        make = MSKAuthTokenProvider
        if installed:
            token, until_ms = make.generate_auth_token("us-east-1")
        else:
            token, until_ms = make.generate_auth_token_from_credentials_provider(
                "us-east-1", Frozen()
            )
        until = datetime.fromtimestamp(until_ms / 1000, timezone.utc)
        assert until - datetime.now(timezone.utc) <= timedelta(minutes=15)
        pod.s3.keys.append(signer_of(token, pod.cloud))
        return "hello"

    if installed:
        bridge.install(ROLE)
    pod.uses(read)


# -- Bedrock -------------------------------------------------------------------------------------


@pytest.fixture
def anthropic() -> Iterator[Any]:
    """Import the package, which keeps its boto3 sessions as long as the process runs."""
    import anthropic
    from anthropic.lib.aws import _auth

    _auth._get_session.cache_clear()
    yield anthropic
    _auth._get_session.cache_clear()


@pytest.mark.timeout(180)  # importing it for the first time compiles a thousand modules
@needs("anthropic")
def test_anthropic(pod: Pod, bedrock: Verifier, anthropic) -> None:
    bridge.install(ROLE)
    messages = [{"role": "user", "content": "say hello"}]
    with anthropic.AnthropicBedrock(base_url=bedrock.url) as client:

        def read() -> str:
            answer = client.messages.create(max_tokens=9, messages=messages, model="a.b:0")
            return answer.content[0].text

        pod.uses(read)


@needs("anthropic")
def test_anthropic_of_asyncio(pod: Pod, bedrock: Verifier, anthropic) -> None:
    bridge.install(ROLE)
    messages = [{"role": "user", "content": "say hello"}]

    async def read() -> str:
        async with anthropic.AsyncAnthropicBedrock(base_url=bedrock.url) as client:
            answer = await client.messages.create(max_tokens=9, messages=messages, model="a.b:0")
            return answer.content[0].text

    pod.uses(lambda: asyncio.run(read()))


@needs("anthropic")
def test_anthropic_shows_access_denied(pod: Pod, bedrock: Verifier, anthropic) -> None:
    from botocore.exceptions import CredentialRetrievalError

    bridge.install(ROLE)
    pod.cloud.remove_role(ROLE)
    messages = [{"role": "user", "content": "say hello"}]
    with (
        anthropic.AnthropicBedrock(base_url=bedrock.url) as client,
        pytest.raises(CredentialRetrievalError, match=r"\[exchange/denied\]"),
    ):
        client.messages.create(max_tokens=9, messages=messages, model="a.b:0")


@needs("langchain_aws")
def test_langchain(pod: Pod, bedrock: Verifier) -> None:
    from langchain_aws import ChatBedrockConverse

    bridge.install(ROLE)
    chat = ChatBedrockConverse(model="a.b:0", endpoint_url=bedrock.url)
    pod.uses(lambda: chat.invoke("say hello").content)
