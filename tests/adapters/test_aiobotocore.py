"""aiobotocore and aioboto3: the shared credentials, and an event loop that never blocks."""

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError
from fakes import turns

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ConfigError

from .conftest import ROLE, Pod, needs

pytestmark = needs("aiobotocore")


def installed() -> Any:
    from aiobotocore.session import get_session

    bridge.install(ROLE)
    return get_session()


def registered(**more: Any) -> Any:
    from aiobotocore.session import get_session

    from gcp_aws_bridge import aio

    session = get_session()
    aio.register(session, ROLE, **more)
    return session


def made() -> Any:
    from gcp_aws_bridge import aio

    return aio.session(ROLE)


METHODS = [made, registered, installed]


async def word(session: Any) -> bytes:
    async with session.create_client("s3") as s3:
        return await read(s3)


async def read(s3: Any) -> bytes:
    answer = await s3.get_object(Bucket="bucket", Key="word")
    async with answer["Body"] as body:
        return await body.read()


def on_asyncio(main: Awaitable[Any]) -> Any:
    return asyncio.run(main)  # type: ignore[arg-type]


def on_uvloop(main: Awaitable[Any]) -> Any:
    import uvloop

    return uvloop.run(main)


LOOPS = [on_asyncio, pytest.param(on_uvloop, marks=needs("uvloop"))]


class Gate:
    """A token source that waits for an event."""

    def __init__(self, pod: Pod) -> None:
        self.requested, self.open = threading.Event(), threading.Event()
        self._mint = pod.cloud.mint

    def __call__(self) -> str:
        self.requested.set()
        assert self.open.wait(30)
        return self._mint()


# -- every method, every loop ------------------------------------------------------------------


@pytest.mark.sampled(5)
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("method", METHODS)
def test_session_works_through_a_refresh_and_an_expiration(
    pod: Pod, method: Any, loop: Any
) -> None:
    session = method()
    pod.uses(lambda: loop(word(session)))


@pytest.mark.parametrize("loop", LOOPS)
def test_one_client_works_through_a_refresh_and_an_expiration(pod: Pod, loop: Any) -> None:
    async def main() -> None:
        async with made().create_client("s3") as s3:
            there = asyncio.get_running_loop()

            def one_read() -> bytes:
                return asyncio.run_coroutine_threadsafe(read(s3), there).result(30)

            await asyncio.to_thread(pod.uses, one_read)

    loop(main())


@needs("aioboto3", session="aioboto3")
@pytest.mark.parametrize("method", ["session", "register", "install"])
def test_aioboto3_works_through_a_refresh_and_an_expiration(pod: Pod, method: str) -> None:
    import aioboto3

    from gcp_aws_bridge import aio

    if method == "install":
        bridge.install(ROLE)
    session = aioboto3.Session(botocore_session=aio.session(ROLE) if method == "session" else None)
    if method == "register":
        aio.register(session, ROLE)

    async def main() -> bytes:
        async with session.client("s3") as s3:
            return await read(s3)

    pod.uses(lambda: asyncio.run(main()))


@needs("trio", "httpx2", "anyio")
def test_session_works_on_trio(pod: Pod) -> None:
    import trio
    from aiobotocore.config import AioConfig
    from aiobotocore.httpxsession import HttpxSession

    async def main() -> bytes:
        config = AioConfig(http_session_cls=HttpxSession)
        async with made().create_client("s3", config=config) as s3:
            answer = await s3.get_object(Bucket="bucket", Key="word")
            return await answer["Body"].read()

    pod.uses(lambda: trio.run(main))


@needs("trio", "anyio")
def test_tasks_that_wait_on_trio_use_no_thread(pod: Pod) -> None:
    import trio

    from gcp_aws_bridge import aio

    gate = Gate(pod)
    found = aio.credentials(ROLE, token_source=gate)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(50):  # trio has 40 threads
                nursery.start_soon(found.get_frozen_credentials)
            while not gate.requested.is_set():  # noqa: ASYNC110 - another thread sets the event
                await trio.sleep(0.001)
            with trio.fail_after(10):
                await trio.to_thread.run_sync(gate.open.set)

    trio.run(main)
    assert 1 == pod.exchanges


# -- one exchange ------------------------------------------------------------------------------


def test_two_hundred_tasks_make_one_exchange(pod: Pod) -> None:
    async def main() -> list[bytes]:
        async with made().create_client("s3") as s3:
            return await asyncio.gather(*(read(s3) for _ in range(200)))

    assert 200 * [b"hello"] == asyncio.run(main())
    assert (1, 1) == (pod.exchanges, len(set(pod.s3.keys)))


def test_threads_tasks_and_loops_share_one_exchange(pod: Pod) -> None:
    gate = Gate(pod)
    asynchronous, threaded = _sessions(gate)
    words: list[bytes] = []

    def in_a_thread() -> None:
        words.append(threaded.client("s3").get_object(Bucket="bucket", Key="word")["Body"].read())

    threads = [threading.Thread(target=in_a_thread) for _ in range(4)]
    threads += [
        threading.Thread(target=lambda: words.append(asyncio.run(word(asynchronous))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert gate.requested.wait(30)
    gate.open.set()
    for thread in threads:
        thread.join(30)
    assert 8 * [b"hello"] == words
    assert 1 == pod.exchanges


def _sessions(gate: Gate) -> tuple[Any, Any]:
    from gcp_aws_bridge import aio

    return aio.session(ROLE, token_source=gate), bridge.session(ROLE, token_source=gate)


# -- the loop ----------------------------------------------------------------------------------


def test_loop_runs_during_the_first_exchange(pod: Pod) -> None:
    """The exchange waits for a task of the same loop."""
    gate = Gate(pod)
    session, _ = _sessions(gate)

    async def main() -> bytes:
        waiting = asyncio.create_task(word(session))
        await turns(gate.requested.is_set)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        gate.open.set()
        return await waiting

    assert b"hello" == asyncio.run(main())


def test_task_does_not_wait_for_a_refresh(pod: Pod) -> None:
    gate = Gate(pod)
    session, _ = _sessions(gate)
    gate.open.set()

    async def main() -> None:
        async with session.create_client("s3") as s3:
            await read(s3)
            first = set(pod.s3.keys)
            gate.open.clear()
            gate.requested.clear()
            pod.travel(minutes=40)
            await read(s3)
            await turns(gate.requested.is_set)
            await read(s3)  # during the refresh
            assert first == set(pod.s3.keys)
            gate.open.set()
            await turns(lambda: pod.exchanges == 2)

    asyncio.run(main())


def test_cancelled_task_does_not_cancel_others(pod: Pod) -> None:
    gate = Gate(pod)
    session, _ = _sessions(gate)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(word(session)) for _ in range(3)]
        await turns(gate.requested.is_set)
        tasks[0].cancel()
        gate.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, *others = asyncio.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert 2 * [b"hello"] == others
    assert 1 == pod.exchanges


def test_next_loop_uses_the_exchange_of_a_loop_that_ended(pod: Pod) -> None:
    gate = Gate(pod)
    session, _ = _sessions(gate)

    async def impatient() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(word(session), 0.05)

    asyncio.run(impatient())
    gate.open.set()
    assert b"hello" == asyncio.run(word(session))
    assert 1 == pod.exchanges


def test_error_without_an_event_loop_names_the_alternative(pod: Pod) -> None:
    from gcp_aws_bridge import aio

    tried = threading.Event()  # credentials that exist already need no event loop
    pod.cloud.sts.inject(Fault.slow(0), when=lambda _: not tried.wait(20))
    pending = aio.credentials(ROLE).get_frozen_credentials()
    with pytest.raises(CredentialRetrievalError, match=r"no event loop .* \[config/no-loop\]"):
        pending.send(None)
    tried.set()


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.sampled(5)
@pytest.mark.parametrize("method", METHODS)
def test_access_denied_is_an_error_of_aiobotocore_with_our_message(pod: Pod, method: Any) -> None:
    pod.cloud.remove_role(ROLE)
    with pytest.raises(CredentialRetrievalError, match=r"\[exchange/denied\]") as caught:
        asyncio.run(word(method()))
    assert isinstance(caught.value.__cause__, bridge.exceptions.ExchangeError)


def test_rejected_key_is_replaced_and_the_request_sent_again(pod: Pod) -> None:
    async def main() -> None:
        async with made().create_client("s3") as s3:
            await read(s3)
            (first,) = set(pod.s3.keys)
            pod.cloud.revoke(first)
            pod.s3.keys.clear()
            assert b"hello" == await read(s3)
            assert first not in pod.s3.keys

    asyncio.run(main())
    assert 2 == pod.exchanges


def test_chain_continues_without_a_google_identity(pod: Pod) -> None:
    session = registered(token_source=bridge.TokenFile("absent"))
    assert asyncio.run(session.get_credentials()) is None


@pytest.mark.parametrize("method", [registered, installed])
def test_keys_in_the_environment_take_precedence(
    pod: Pod, method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "AKIA" == asyncio.run(method().get_credentials()).access_key
    assert 0 == pod.exchanges


def test_install_ignores_an_aiobotocore_that_is_too_old(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import aiobotocore

    monkeypatch.setattr(aiobotocore, "__version__", "2.13.0")
    monkeypatch.delitem(sys.modules, "gcp_aws_bridge._botocore.aiobotocore", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "AKIA" == asyncio.run(installed().get_credentials()).access_key
    assert "aiobotocore is 2.13.0" in caplog.text


def test_session_of_the_other_kind_is_an_error() -> None:
    import botocore.session

    from gcp_aws_bridge import aio

    with pytest.raises(ConfigError, match=r"Session is no aiobotocore or aioboto3 session"):
        aio.register(botocore.session.get_session(), ROLE)
    with pytest.raises(ConfigError, match=r"AioSession is no boto3 or botocore session"):
        bridge.register(made(), ROLE)


# -- further properties ------------------------------------------------------------------------


def test_credentials_work_in_a_custom_signer(pod: Pod) -> None:
    from gcp_aws_bridge import aio

    found = aio.credentials(ROLE)

    async def main() -> tuple[Any, ...]:
        whole = await found.get_frozen_credentials()
        one_by_one = (
            await found.get_access_key(),
            await found.get_secret_key(),
            await found.get_token(),
            await found.get_account_id(),
        )
        assert tuple(whole) == one_by_one
        return one_by_one

    key, _, _, account = asyncio.run(main())
    assert ("ASIA", "123456789012") == (key[:4], account)
    assert found.reject(key)


@pytest.mark.parametrize("name", ["session", "credentials"])
def test_credentials_and_session_pickle_as_settings(pod: Pod, name: str) -> None:
    from gcp_aws_bridge import aio

    source = bridge.TokenFile("token")
    sent = getattr(aio, name)(ROLE, token_source=source, duration_seconds=900)
    arrived = pickle.loads(pickle.dumps(sent))
    assert (type(sent), repr(sent)) == (type(arrived), repr(arrived))
    assert source == arrived._request.token_source


def test_sts_client_has_the_settings_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import AioSession

    from gcp_aws_bridge._sts.synchronous_twin import twin_of

    (tmp_path / "config").write_text("[profile etl]\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    session = AioSession(profile="etl")
    session.set_config_variable("region", "eu-west-1")
    session.set_config_variable("ca_bundle", "/ca.pem")
    session.set_default_client_config(
        AioConfig(connector_args={"keepalive_timeout": 3}, proxies={"https": "http://proxy:1"})
    )
    twin = twin_of(session)
    names = ("profile", "region", "ca_bundle")
    assert ["etl", "eu-west-1", "/ca.pem"] == [twin.instance_variables()[name] for name in names]
    assert {"proxies": {"https": "http://proxy:1"}} == (
        twin.get_default_client_config()._user_provided_options
    )
