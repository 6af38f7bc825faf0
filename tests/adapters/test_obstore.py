"""obstore: Rust's object_store, with credentials from Python."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import time
from collections.abc import Callable

import pytest

from .conftest import ROLE, Pod, needs

pytestmark = needs("obstore")

KINDS = ["CredentialProvider", "AsyncCredentialProvider"]


@pytest.fixture(params=KINDS)
def provider(request: pytest.FixtureRequest, pod: Pod):
    from gcp_aws_bridge.adapters import obstore

    return getattr(obstore, request.param)(ROLE)


def store_of(pod: Pod, provider):
    from obstore.store import S3Store

    return S3Store(
        "bucket",
        endpoint=pod.s3.url,
        client_options={"allow_http": True},
        credential_provider=provider,
    )


async def get(store) -> bytes:
    import obstore

    found = await obstore.get_async(store, "word")
    return bytes(await found.bytes_async())


def later(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return *read* with a pause: obstore asks for credentials once in 100 ms of real time."""

    def reads() -> bytes:
        time.sleep(0.11)
        return read()

    return reads


@pytest.mark.parametrize("minutes", [0, 57], ids=["minutes left", "an hour left"])
def test_async_functions_work_through_a_refresh_and_an_expiration(
    pod: Pod, provider, minutes
) -> None:
    pod.travel(minutes=minutes)  # the lifetime of the first credentials by obstore's clock
    store = store_of(pod, provider)
    pod.uses(later(lambda: asyncio.run(get(store))))


def test_sync_functions_work_through_a_refresh_and_an_expiration(pod: Pod) -> None:
    import obstore as sdk

    from gcp_aws_bridge.adapters import obstore

    store = store_of(pod, obstore.CredentialProvider(ROLE))
    pod.uses(later(lambda: bytes(sdk.get(store, "word").bytes())))


@pytest.mark.parametrize("kind", KINDS)
def test_multipart_upload_succeeds(pod: Pod, kind: str) -> None:
    import obstore as sdk

    from gcp_aws_bridge.adapters import obstore

    # By obstore's clock the credentials have expired: it requests others for each part.
    provider = getattr(obstore, kind)(ROLE, duration_seconds=900)
    parts = b"-" * 6_000_000

    async def write() -> None:
        store = store_of(pod, provider)
        await sdk.put_async(store, "parts", parts, chunk_size=5 << 20)
        async with sdk.open_writer_async(store, "written", buffer_size=5 << 20) as file:
            await file.write(parts)

    asyncio.run(write())
    for key in ("parts", "written"):
        assert parts == pod.s3.owner.get_object(Bucket="bucket", Key=key)["Body"].read()


def test_fsspec_store_reads(pod: Pod) -> None:
    from obstore.fsspec import FsspecStore

    from gcp_aws_bridge.adapters import obstore

    fs = FsspecStore(
        "s3",
        endpoint=pod.s3.url,
        client_options={"allow_http": True},
        credential_provider=obstore.CredentialProvider(ROLE),
    )
    assert b"hello" == fs.cat_file("bucket/word")
    with fs.open("bucket/word") as file:
        assert b"hello" == file.read()


def test_store_that_waits_does_not_block_another(pod: Pod) -> None:
    from gcp_aws_bridge.adapters import obstore

    granted = threading.Event()

    def token() -> str:
        assert granted.wait(30)
        return pod.cloud.mint()

    async def race() -> None:
        warm = store_of(pod, obstore.AsyncCredentialProvider(ROLE))
        assert b"hello" == await get(warm)
        waiting = obstore.AsyncCredentialProvider(ROLE, token_source=token)
        cold = [store_of(pod, waiting) for _ in range((os.cpu_count() or 1) + 1)]
        reads = [asyncio.create_task(get(store)) for store in cold]
        await asyncio.sleep(0)
        assert b"hello" == await get(warm)
        assert not any(read.done() for read in reads)
        granted.set()
        assert {b"hello"} == set(await asyncio.gather(*reads))

    asyncio.run(race())
    assert 2 == pod.exchanges


def test_access_denied_is_an_error_of_obstore(pod: Pod, provider) -> None:
    from obstore.exceptions import UnauthenticatedError

    pod.cloud.remove_role(ROLE)
    with pytest.raises(UnauthenticatedError, match=r"\[exchange/denied\]"):
        asyncio.run(get(store_of(pod, provider)))


def test_last_credentials_are_used_until_they_expire_in_an_outage(pod: Pod, provider) -> None:
    from obstore.exceptions import UnauthenticatedError

    store = store_of(pod, provider)
    read = later(lambda: asyncio.run(get(store)))
    first = pod.signers(read)
    pod.cloud.remove_role(ROLE)
    pod.travel(minutes=59)
    assert first == pod.signers(read)
    pod.travel(minutes=1)
    with pytest.raises(UnauthenticatedError, match=r"\[exchange/denied\]"):
        read()


def test_provider_pickles_as_settings(pod: Pod, provider) -> None:
    store = store_of(pod, provider)
    first = pod.signers(lambda: asyncio.run(get(store)))
    pickled = pickle.dumps(store)
    for secret in pod.cloud.sts.requests[0].params["WebIdentityToken"], *first:
        assert secret.encode() not in pickled
        assert secret not in repr(provider)
    assert first == pod.signers(lambda: asyncio.run(get(pickle.loads(pickled))))
