"""STS in two regions, of which one is down: tasks of an event loop, and other SDKs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import eventually
from two_regions import CENTRAL, REGIONS, WEST, data_path, second_sts

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.emulator.sts import STS

from .conftest import ROLE, Pod, needs


@pytest.fixture
def central(pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[STS]:
    """Yield the STS that carries on."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    with second_sts(pod.cloud) as central:
        path = data_path(tmp_path / "data", {WEST: pod.cloud.sts.url, CENTRAL: central.url})
        monkeypatch.setenv("AWS_DATA_PATH", path)
        yield central


def of_session() -> str:
    from gcp_aws_bridge import aio

    async def key() -> str:
        found = await aio.session(ROLE, sts_regions=REGIONS).get_credentials()
        return str((await found.get_frozen_credentials()).access_key)

    return asyncio.run(key())


def of_credentials() -> str:
    from gcp_aws_bridge import aio

    found = aio.credentials(ROLE, sts_regions=REGIONS)
    return str(asyncio.run(found.get_frozen_credentials()).access_key)


def installed() -> str:
    from aiobotocore.session import get_session

    bridge.install(bridge.Role(ROLE, sts_regions=REGIONS))

    async def key() -> str:
        found = await get_session().get_credentials()
        return str((await found.get_frozen_credentials()).access_key)

    return asyncio.run(key())


def obstore() -> str:
    from gcp_aws_bridge.adapters.obstore import CredentialProvider

    return str(CredentialProvider(ROLE, sts_regions=REGIONS)()["access_key_id"])


def s3fs() -> str:
    from gcp_aws_bridge.adapters.s3fs import options

    async def key() -> str:
        found = await options(ROLE, sts_regions=REGIONS)["session"].get_credentials()
        return str((await found.get_frozen_credentials()).access_key)

    return asyncio.run(key())


def smithy() -> str:
    from gcp_aws_bridge.adapters.smithy import CredentialsResolver

    resolver = CredentialsResolver(ROLE, sts_regions=REGIONS)
    return asyncio.run(resolver.get_identity(properties={})).access_key_id


CASES: dict[Callable[[], str], str] = {
    of_session: "aiobotocore",
    of_credentials: "aiobotocore",
    installed: "aiobotocore",
    obstore: "obstore",
    s3fs: "s3fs",
    smithy: "smithy_core",
}


@pytest.mark.parametrize(
    "key",
    [pytest.param(key, marks=needs(module), id=key.__name__) for key, module in CASES.items()],
)
def test_first_credentials_come_from_the_region_that_answers(
    key: Callable[[], str], pod: Pod, central: STS
) -> None:
    pod.cloud.sts.inject(Fault.status(503), times=None)
    assert key().startswith("ASIA")
    assert (1, 1) == (len(pod.cloud.sts.requests), len(central.requests))


@needs("aiobotocore")
def test_refresh_of_a_task_comes_from_the_region_that_answers(pod: Pod, central: STS) -> None:
    from gcp_aws_bridge import aio

    credentials: Any = aio.credentials(ROLE, sts_regions=REGIONS)

    def key() -> str:
        return str(asyncio.run(credentials.get_frozen_credentials()).access_key)

    first = key()
    with pod.cloud.sts.down():
        pod.travel(minutes=40)
        assert first == key()  # immediately
        eventually(lambda: key() != first)
    assert (1, 1) == (len(pod.cloud.sts.requests), len(central.requests))
