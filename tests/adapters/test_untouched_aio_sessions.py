"""Sessions of aiobotocore without a role are unchanged by `install()` and `aio.register()`."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from untouched import FAIL, PROFILES, REGIONS, WAYS, Scenario, answer, chain, described

from .conftest import needs

pytestmark = needs("aiobotocore")


class AioScenario(Scenario):
    """The scenario with a session of aiobotocore."""

    def use(self, session: Any, inner: Any, found: dict[str, Any], urls: list[str]) -> None:
        from aiobotocore.awsrequest import AioAWSResponse

        inner.register("before-send", lambda request, **_: answer(request, urls, AioAWSResponse))
        asyncio.run(self._use_async(inner, found))

    async def _use_async(self, inner: Any, found: dict[str, Any]) -> None:
        if self.first == "credentials":
            found["first"] = type(await inner.get_credentials())
        elif self.first == "component":
            found["first"] = chain(inner)
        async with inner.create_client("sts", region_name=self.client_region) as client:
            found["chain"] = chain(inner)
            found["credentials"] = described(await inner.get_credentials())
            await client.get_caller_identity()


def of_aiobotocore(profile: str | None) -> tuple[Any, Any]:
    from aiobotocore.session import AioSession

    session = AioSession(profile=profile)
    return session, session


@pytest.mark.sampled(7)
@pytest.mark.parametrize("profile", PROFILES)
def test_same_chain_requests_credentials_errors_and_log(
    profile: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = itertools.cycle(["client", "credentials", "component"])
    for is_named, (region, client_region) in itertools.product([True, False], REGIONS):
        scenario = AioScenario(
            profile, is_named, region, client_region, next(first), of_aiobotocore
        )
        scenario.prepare(home, monkeypatch)
        plain, installed, registered = (scenario.seen(way) for way in WAYS)
        assert (profile in FAIL) == ("error" in plain)
        assert plain == installed
        assert plain == registered


@pytest.mark.parametrize("way", ["install", "register"])
def test_chain_is_made_for_the_region_of_the_client(
    way: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = AioScenario("role", True, None, "cn-north-1", "client", of_aiobotocore)
    scenario.prepare(home, monkeypatch)
    assert [
        "https://sts.cn-north-1.amazonaws.com.cn/ AssumeRole",
        "https://sts.cn-north-1.amazonaws.com.cn/ GetCallerIdentity",
    ] == scenario.seen(way)["urls"]
