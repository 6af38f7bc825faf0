"""The new clients of the AWS SDK for Python, tested with the client for Bedrock."""

from __future__ import annotations

import asyncio
import importlib
import pickle
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ExchangeError, MissingExtra

from .conftest import ROLE, Pod, needs
from .verifier import Verifier, verifier

pytestmark = [
    needs("aws_sdk_bedrock_runtime"),
    # aws-sdk-signers before 0.4 warns once for a request over plain HTTP.
    pytest.mark.filterwarnings("ignore:Payload signing is enabled"),
]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def bedrock(pod: Pod) -> Iterator[Verifier]:
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
    }
    with verifier(pod, "bedrock", answer) as server:
        yield server


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def resolver(pod: Pod):
    from gcp_aws_bridge.adapters import smithy

    return smithy.CredentialsResolver(ROLE)


@pytest.fixture
def client_of(bedrock: Verifier, run: Run):
    from aws_sdk_bedrock_runtime.client import AsyncBedrockRuntimeClient as Client
    from aws_sdk_bedrock_runtime.config import AsyncBedrockRuntimeConfig as Config

    async def make(resolver) -> Client:
        return Client(
            await Config.resolve(
                region="us-east-1",
                endpoint_uri=bedrock.url,
                aws_credentials_identity_resolver=resolver,
            )
        )

    made: list[Client] = []

    def made_with(resolver) -> Client:
        made.append(run(make(resolver)))
        return made[-1]

    yield made_with
    for client in made:
        run(client.close())


async def ask(client) -> str:
    from aws_sdk_bedrock_runtime.models import ContentBlockText, ConverseInput, Message

    message = Message(role="user", content=[ContentBlockText("say hello")])
    # The colon is encoded in the URL, and once more in the canonical request.
    answer = await client.converse(ConverseInput(model_id="a.b:0", messages=[message]))
    return answer.output.value.content[0].value


def test_client_works_through_a_refresh_and_an_expiration(
    pod: Pod, run: Run, client_of, resolver
) -> None:
    client = client_of(resolver)
    pod.uses(lambda: run(ask(client)))


def test_cache_around_the_resolver_is_refreshed_too(
    pod: Pod, run: Run, client_of, resolver
) -> None:
    from smithy_core.aio.identity import ChainedIdentityResolver

    client = client_of(ChainedIdentityResolver([resolver]))
    pod.uses(lambda: run(ask(client)))


def test_last_credentials_are_used_until_they_expire_in_an_outage(
    pod: Pod, run: Run, client_of, resolver
) -> None:
    from smithy_core.exceptions import SmithyIdentityError

    client = client_of(resolver)
    first = pod.signers(lambda: run(ask(client)))
    pod.cloud.sts.inject(Fault.status(503), times=None)
    pod.travel(minutes=59, seconds=40)
    assert first == pod.signers(lambda: run(ask(client)))
    pod.travel(seconds=15)
    with pytest.raises(SmithyIdentityError, match="503") as caught:
        run(ask(client))
    assert "[exchange/" in str(caught.value)


def test_fifty_simultaneous_calls_make_one_exchange(
    pod: Pod, run: Run, client_of, resolver
) -> None:
    client = client_of(resolver)

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(ask(client) for _ in range(50)))

    assert ["hello"] * 50 == run(all_at_once())
    assert (1, 1) == (len(set(pod.s3.keys)), pod.exchanges)


def test_access_denied_is_an_error_of_the_sdk(pod: Pod, run: Run, client_of, resolver) -> None:
    from smithy_core.exceptions import SmithyIdentityError

    pod.cloud.remove_role(ROLE)
    with pytest.raises(SmithyIdentityError, match=r"\[exchange/denied\]") as caught:
        run(ask(client_of(resolver)))
    assert isinstance(caught.value.__cause__, ExchangeError)


def test_chain_continues_after_access_denied(pod: Pod, run: Run, resolver) -> None:
    from smithy_aws_core.identity import AWSCredentialsIdentity, StaticCredentialsResolver
    from smithy_core.aio.identity import ChainedIdentityResolver
    from smithy_core.exceptions import SmithyIdentityError

    pod.cloud.remove_role(ROLE)
    other = AWSCredentialsIdentity(access_key_id="AKIA", secret_access_key="made up")
    chain = ChainedIdentityResolver([resolver, StaticCredentialsResolver(other)])
    assert other is run(chain.get_identity(properties={}))
    with pytest.raises(SmithyIdentityError, match=r"resolver chain\.$"):  # and not why
        run(ChainedIdentityResolver([resolver]).get_identity(properties={}))


def test_invalidate_replaces_a_revoked_key(
    pod: Pod, bedrock: Verifier, run: Run, client_of, resolver
) -> None:
    from smithy_core.exceptions import CallError

    client = client_of(resolver)
    first = pod.signers(lambda: run(ask(client)))
    pod.cloud.revoke(*first)
    for _ in range(2):  # no retry, and no other provider has another key
        with pytest.raises(CallError, match="InvalidClientTokenId"):
            run(ask(client))
    run(resolver.invalidate())
    assert first.isdisjoint(pod.signers(lambda: run(ask(client))))
    assert ["InvalidClientTokenId"] * 2 == bedrock.errors


def test_identity_has_the_real_expiration_and_shows_no_secret(pod: Pod, run: Run, resolver) -> None:
    identity = run(resolver.get_identity(properties={}))
    key = pod.cloud.key(identity.access_key_id)
    assert (key.expiration, "123456789012") == (identity.expiration, identity.account_id)
    for shown in repr(identity), str(identity), f"{vars(identity)['_credentials']}":
        assert identity.access_key_id in shown
        assert identity.secret_access_key not in shown
        assert identity.session_token not in shown


def test_identity_is_not_expired_when_it_signs(pod: Pod, run: Run, resolver) -> None:
    async def sign() -> list[bool]:
        identity = await resolver.get_identity(properties={})
        await resolver.invalidate()
        return [identity.is_expired, identity.is_expired]

    assert [False, True] == run(sign())


def test_error_on_an_older_python_names_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "gcp_aws_bridge.adapters.smithy"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    with pytest.raises(MissingExtra, match=r"need Python 3\.12; .*\[config/extra\]"):
        importlib.import_module(name)


def test_resolver_pickles_as_settings(pod: Pod, run: Run, client_of, resolver) -> None:
    first = pod.signers(lambda: run(ask(client_of(resolver))))
    pickled = pickle.dumps(resolver)
    key = pod.cloud.key(*first)
    for secret in pod.cloud.sts.requests[0].params["WebIdentityToken"], key.secret_access_key:
        assert secret.encode() not in pickled
    assert key.session_token.encode() not in pickled
    again = pickle.loads(pickled)
    assert repr(resolver) == repr(again)
    assert first == pod.signers(lambda: run(ask(client_of(again))))


def test_refresh_between_the_choice_of_an_identity_and_the_signature_fails_no_request(
    pod: Pod, run: Run, resolver
) -> None:
    async def race() -> list[bool]:
        identity = await resolver.get_identity(properties={})
        seen = [identity.is_expired]  # the signer of the first request
        seen.append(identity.is_expired)  # the cache, for the second request
        pod.cloud.sts.clear_faults()
        resolver._cache.reject(identity.access_key_id)
        await resolver.get_identity(properties={})  # a refresh completes
        seen.append(identity.is_expired)  # the signer of the second request
        seen.append(identity.is_expired)  # the cache, for the third request
        return seen

    assert [False, False, False, True] == run(race())
