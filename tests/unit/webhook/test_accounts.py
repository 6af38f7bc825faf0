"""`Accounts`: how old the annotations may be that a pod gets, and how many requests they cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fakes import ManualWorld

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.webhook.accounts import Accounts, Annotations

ROLE = {"gcp-aws-bridge/role-arn": "arn:aws:iam::123456789012:role/etl"}
OTHER_ROLE = {"gcp-aws-bridge/role-arn": "arn:aws:iam::123456789012:role/other"}
ETL = ("data", "etl")


class Api:
    """Service accounts, and the requests for them. With `hold`, requests wait for `release`."""

    def __init__(self) -> None:
        self.world = ManualWorld()
        self.stored: dict[tuple[str, str], Annotations] = {}
        self.reads: list[tuple[str, str]] = []
        self.hold = False
        self.asked = asyncio.Event()
        self.released = asyncio.Event()
        self.accounts = Accounts(
            self._read, ("gcp-aws-bridge", "eks.amazonaws.com"), self.world.world.monotonic
        )

    async def _read(self, namespace: str, name: str) -> Annotations:
        self.reads.append((namespace, name))
        found = self.stored.get((namespace, name))
        self.asked.set()
        if self.hold:
            await self.released.wait()
        await asyncio.sleep(0)
        if found is None:
            raise ConfigError("There is no such account.", error_id="config/service-account")
        return found

    async def get(self, account: tuple[str, str] = ETL, *, latest: bool = False) -> Annotations:
        return await self.accounts.annotations(*account, latest=latest)


def with_api(test: Callable[[Api], Awaitable[None]]) -> None:
    async def run() -> None:
        await test(Api())

    asyncio.run(run())


def test_burst_costs_one_request_for_each_account() -> None:
    async def test(api: Api) -> None:
        api.stored = {ETL: ROLE, ("data", "web"): OTHER_ROLE}
        asked = [ETL, ("data", "web")] * 100
        found = await asyncio.gather(*(api.get(one) for one in asked))
        assert [ROLE, OTHER_ROLE] * 100 == found
        assert [ETL, ("data", "web")] == api.reads

    with_api(test)


def test_annotations_are_kept_for_one_second() -> None:
    async def test(api: Api) -> None:
        api.stored[ETL] = ROLE
        assert ROLE == await api.get()
        api.stored[ETL] = OTHER_ROLE
        api.world.advance(1.0)
        assert ROLE == await api.get()
        api.world.advance(0.001)
        assert OTHER_ROLE == await api.get()
        assert 2 == len(api.reads)

    with_api(test)


def test_pods_do_not_wait_for_a_refresh() -> None:
    async def test(api: Api) -> None:
        api.stored[ETL] = ROLE
        await api.get()
        api.hold = True
        api.stored[ETL] = OTHER_ROLE
        for _ in range(4):
            api.world.advance(0.2)
            assert ROLE == await api.get()
        await asyncio.sleep(0)
        assert 2 == len(api.reads)
        api.world.advance(0.3)  # the first reading has expired
        waiting = asyncio.create_task(api.get())
        api.released.set()
        assert OTHER_ROLE == await waiting
        assert 2 == len(api.reads)

    with_api(test)


@pytest.mark.parametrize("after", [None, {}])
def test_account_that_a_refresh_does_not_find_is_read_again(after: Annotations | None) -> None:
    async def test(api: Api) -> None:
        api.stored[ETL] = ROLE
        await api.get()
        del api.stored[ETL]
        if after is not None:
            api.stored[ETL] = after
        api.world.advance(0.6)
        assert ROLE == await api.get()
        for _ in range(5):
            await asyncio.sleep(0)  # the refresh completes
        api.stored[ETL] = OTHER_ROLE
        assert OTHER_ROLE == await api.get()
        assert 3 == len(api.reads)

    with_api(test)


@pytest.mark.parametrize("before", [{}, {"unrelated": "x"}, {"gcp-aws-bridge.example/x": "y"}])
def test_first_annotation_of_an_account_applies_at_once(before: Annotations) -> None:
    async def test(api: Api) -> None:
        api.stored[ETL] = before
        assert before == await api.get()
        api.stored[ETL] = {**before, **ROLE}
        assert {**before, **ROLE} == await api.get()

    with_api(test)


def test_new_account_is_read_at_once() -> None:
    async def test(api: Api) -> None:
        with pytest.raises(ConfigError):
            await api.get()
        api.stored[ETL] = ROLE
        assert ROLE == await api.get()

    with_api(test)


@pytest.mark.parametrize("before", [None, {}])
def test_account_that_changes_during_a_request_is_read_again(before: Annotations | None) -> None:
    async def test(api: Api) -> None:
        api.hold = True
        if before is not None:
            api.stored[ETL] = before
        first = asyncio.create_task(api.get())
        await api.asked.wait()
        api.stored[ETL] = ROLE
        second = asyncio.create_task(api.get())
        await asyncio.sleep(0)
        api.released.set()
        assert ROLE == await second
        [one] = await asyncio.gather(first, return_exceptions=True)
        assert isinstance(one, ConfigError) if before is None else before == one
        assert 2 == len(api.reads)

    with_api(test)


def test_burst_of_pods_without_annotations_shares_requests() -> None:
    async def test(api: Api) -> None:
        api.stored[ETL] = {}
        await asyncio.gather(*(api.get() for _ in range(100)))
        assert 2 == len(api.reads)

    with_api(test)


def test_latest_annotations_are_read_despite_cached_ones() -> None:
    async def test(api: Api) -> None:
        api.stored[ETL] = ROLE
        await api.get()
        api.stored[ETL] = OTHER_ROLE
        assert OTHER_ROLE == await api.get(latest=True)
        assert OTHER_ROLE == await api.get()

    with_api(test)


def test_cancelled_request_does_not_cancel_requests_of_other_pods() -> None:
    async def test(api: Api) -> None:
        api.hold = True
        api.stored[ETL] = ROLE
        first, second = (asyncio.create_task(api.get()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        api.released.set()
        assert ROLE == await second
        assert 1 == len(api.reads)

    with_api(test)


def test_only_accounts_of_the_last_second_are_kept() -> None:
    async def test(api: Api) -> None:
        for index in range(500):
            api.stored["data", f"a{index}"] = ROLE
            await api.get(("data", f"a{index}"))
            api.world.advance(0.1)
        assert len(api.accounts._readings) <= 11

    with_api(test)
