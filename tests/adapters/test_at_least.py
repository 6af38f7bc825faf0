"""Adapters with `at_least`: the lifetime that the SDK needs from credentials."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import pickle
from collections.abc import Callable
from importlib import import_module

import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge.testing import GkePod

from .conftest import ROLE, needs

if importlib.util.find_spec("polars"):
    import polars  # noqa: F401 - sets an environment variable on import

Ask = Callable[[], object]


def of_s3fs(at_least: float) -> Ask:
    adapter = import_module("gcp_aws_bridge.adapters.s3fs")
    session = adapter.options(ROLE, at_least=at_least)["session"]

    async def ask() -> object:
        return await (await session.get_credentials()).get_access_key()

    return lambda: asyncio.run(ask())


def of_obstore(at_least: float) -> Ask:
    adapter = import_module("gcp_aws_bridge.adapters.obstore")
    return adapter.CredentialProvider(ROLE, at_least=at_least)  # type: ignore[no-any-return]


def of_obstore_async(at_least: float) -> Ask:
    adapter = import_module("gcp_aws_bridge.adapters.obstore")
    provider = adapter.AsyncCredentialProvider(ROLE, at_least=at_least)

    async def ask() -> object:
        found = provider()
        return await found if asyncio.iscoroutine(found) else found

    return lambda: asyncio.run(ask())


def of_polars(at_least: float) -> Ask:
    adapter = import_module("gcp_aws_bridge.adapters.polars")
    return adapter.CredentialProvider(ROLE, at_least=at_least)  # type: ignore[no-any-return]


def of_smithy(at_least: float) -> Ask:
    adapter = import_module("gcp_aws_bridge.adapters.smithy")
    resolver = adapter.CredentialsResolver(ROLE, at_least=at_least)
    return lambda: asyncio.run(resolver.get_identity(properties={}))


WAYS = {
    of_s3fs: "s3fs",
    of_obstore: "obstore",
    of_obstore_async: "obstore",
    of_polars: "polars",
    of_smithy: "smithy_aws_core",
}


@pytest.mark.parametrize(("at_least", "exchanges"), [(0, 1), (1700, 1), (1900, 2), (math.inf, 2)])
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=needs(sdk), id=way.__name__) for way, sdk in WAYS.items()]
)
def test_credentials_with_a_shorter_lifetime_are_replaced_first(
    gke_pod: GkePod, way: Callable[[float], Ask], at_least: float, exchanges: int
) -> None:
    gke_pod.add_role(ROLE)
    bridge.credentials(ROLE).get_frozen_credentials()
    ask = way(at_least)
    gke_pod.advance(1790)  # 1810 s are left; a refresh is due at 1800
    for _ in range(2):
        assert ask() is not None
        assert exchanges == gke_pod.exchanges


@needs("polars")
def test_pickled_adapter_keeps_at_least(gke_pod: GkePod) -> None:
    from gcp_aws_bridge.adapters.polars import CredentialProvider

    gke_pod.add_role(ROLE)
    made = pickle.loads(pickle.dumps(CredentialProvider(ROLE, at_least=1900)))
    assert 1900 == made._at_least_s
    assert repr(made) != repr(CredentialProvider(ROLE))
