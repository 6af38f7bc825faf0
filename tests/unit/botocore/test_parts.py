"""Parts of credentials that are read one by one are of one set, whatever comes between."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from fakes import Fetches, ManualWorld

from gcp_aws_bridge._botocore import credentials as _botocore_credentials
from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge.config import Role

MINUTES = 60
NAMES = {"a": "access_key", "s": "secret_key", "t": "token"}
# As they are read by: botocore's SigV4 and HMAC headers; its presigned URLs; its POST policies;
# botocore's CRT signers and most others; requests-aws4auth; the MSK signer; awswrangler;
# cassandra-sigv4. Then the rest of all orders.
SIGNERS = ["ttsa", "atts", "attts", "ast", "ats", "asast", "asastt", "asatt"]
ORDERS = sorted({*SIGNERS, *map("".join, itertools.permutations("ast"))})
# A minute or more between the last two reads of the others is the end of a request.
ORDERS_OF_ONE_END = [order for order in ORDERS if order[-1] != order[-2]]


def number_of(part: str) -> int:
    """Which set a part is of: `fakes.credentials` has its number in each."""
    return int(part.removeprefix("ASIA").removeprefix("secret-").removeprefix("token-"))


def signer(order: str) -> Callable[[Any, Callable[[int], None]], set[int]]:
    """A function that reads each part at a place of its own, and calls *between* before each."""
    lines = ["def sign(credentials, between):", "    parts = []"]
    for number, part in enumerate(order):
        lines += [f"    between({number})", f"    parts.append(credentials.{NAMES[part]})"]
    scope: dict[str, Any] = {"number_of": number_of}
    exec("\n".join([*lines, "    return set(map(number_of, parts))"]), scope)
    found: Callable[[Any, Callable[[int], None]], set[int]] = scope["sign"]
    return found


def nothing(_: int) -> None:
    """Between two reads."""


@pytest.fixture
def time() -> ManualWorld:
    return ManualWorld()


def made(time: ManualWorld, kind: Any = BridgeCredentials) -> Any:
    cache = CredentialCache(Fetches(time), world=time.world)
    role = Role("arn:aws:iam::123456789012:role/etl")
    wanted: Any = SimpleNamespace(at_least_s=0.0, role=role, cache=lambda: cache)
    return kind(wanted)


@pytest.fixture
def credentials(time: ManualWorld) -> BridgeCredentials:
    found: BridgeCredentials = made(time)
    return found


def at(place: int, act: Callable[[], object]) -> Callable[[int], None]:
    def between(number: int) -> None:
        if number == place:
            act()

    return between


# -- one thread --------------------------------------------------------------------------------


@pytest.mark.parametrize("pause_s", [0.0, 0.6, 1.0, 2.0, 30.0, 19 * MINUTES], ids=str)
@pytest.mark.parametrize("order", ORDERS)
def test_a_refresh_between_two_reads_does_not_mix_sets(
    order: str, pause_s: float, time: ManualWorld
) -> None:
    """At each place and, after a first request, in the second."""
    for place, before in itertools.product(range(len(order)), [0, 1, 2]):
        credentials, sign = made(time), signer(order)
        for _ in range(before):
            sign(credentials, nothing)
        credentials.get_frozen_credentials()
        time.advance(40 * MINUTES)  # the next read starts a refresh, which is done at once
        if pause_s >= 60 and order not in ORDERS_OF_ONE_END and place == len(order) - 1:
            continue
        assert 1 == len(sign(credentials, at(place, lambda: time.advance(pause_s))))
        assert {number_of(credentials.get_frozen_credentials().token)} == sign(credentials, nothing)


@pytest.mark.parametrize("order", ORDERS)
def test_a_pause_before_each_read_does_not_mix_sets(order: str, time: ManualWorld) -> None:
    for pause_s in (0.4, 0.9, 1.0, 1.5, 3.0, 59.0):
        credentials, sign = made(time), signer(order)
        for _ in range(100):
            assert 1 == len(sign(credentials, lambda _: time.advance(pause_s)))  # noqa: B023
            time.advance(20 * MINUTES)


@pytest.mark.parametrize("order", ORDERS_OF_ONE_END)
def test_a_clock_that_jumps_between_two_reads_does_not_mix_sets(
    order: str, credentials: BridgeCredentials, time: ManualWorld
) -> None:
    sign = signer(order)
    for turn in range(200):
        place = turn % len(order)
        assert 1 == len(sign(credentials, at(place, lambda: time.advance(40 * MINUTES))))
        time.advance(2 * 60 * MINUTES)


@pytest.mark.parametrize("order", ORDERS)
def test_the_next_request_is_signed_with_the_newest_set(
    order: str, credentials: BridgeCredentials, time: ManualWorld
) -> None:
    """Without any pause: the signer is back where it began."""
    sign = signer(order)
    for turn in range(1, 20):
        assert {turn} == sign(credentials, nothing)
        time.advance(40 * MINUTES)
        credentials.get_frozen_credentials()  # starts the refresh


def test_code_that_logged_the_access_key_before_does_not_mix_sets(
    credentials: BridgeCredentials, time: ManualWorld
) -> None:
    for order in ORDERS:
        sign = signer(order)
        assert credentials.access_key
        for place in range(len(order)):
            time.advance(40 * MINUTES)
            credentials.get_frozen_credentials()
            assert 1 == len(sign(credentials, at(place, lambda: time.advance(3))))


def test_what_is_read_alone_is_of_the_newest_set_after_a_minute(
    credentials: BridgeCredentials, time: ManualWorld
) -> None:
    for turn in range(1, 5):
        assert turn == number_of(credentials.access_key)
        time.advance(40 * MINUTES)
        credentials.get_frozen_credentials()


@pytest.mark.parametrize("order", ["".join(order) for order in itertools.permutations("ast")])
@pytest.mark.parametrize("place", [1, 2])
def test_what_has_expired_is_not_read_on(order: str, place: int, time: ManualWorld) -> None:
    for pause_s in (3600, 3590, 7200):
        credentials = made(time)
        seen = []
        for number, part in enumerate(order):
            if number == place:
                time.advance(pause_s)
            seen.append(number_of(getattr(credentials, NAMES[part])))
        assert [1] * place + [2] * (3 - place) == seen


def test_what_had_been_replaced_and_then_expired_is_not_read_on(
    credentials: BridgeCredentials, time: ManualWorld
) -> None:
    assert 1 == number_of(credentials.access_key)
    time.advance(40 * MINUTES)
    credentials.get_frozen_credentials()
    time.advance(19 * MINUTES + 49)
    assert 1 == number_of(credentials.secret_key)
    time.advance(1)
    assert 1 < number_of(credentials.token)


@pytest.mark.parametrize("by", ["this view", "another view", "another thread"])
def test_what_was_rejected_between_two_reads_is_not_read_on(
    credentials: BridgeCredentials, by: str
) -> None:
    key = credentials.access_key
    if by == "another thread":
        thread = threading.Thread(target=credentials.reject, args=[key])
        thread.start()
        thread.join()
    else:
        view = credentials if by == "this view" else BridgeCredentials(credentials._request)
        assert view.reject(key)
    credentials.get_frozen_credentials()  # replaced
    assert [2, 2, 2] == [number_of(getattr(credentials, name)) for name in NAMES.values()]


def test_views_of_one_set_and_eight_roles_by_turns(time: ManualWorld) -> None:
    roles = [made(time) for _ in range(8)]
    for one in roles:
        one.get_frozen_credentials()
    time.advance(40 * MINUTES)
    seen = [[number_of(one.access_key)] for one in roles]
    for parts, one in zip(seen, roles, strict=True):
        again = BridgeCredentials(one._request)  # of the same cached credentials
        parts += [number_of(again.secret_key), number_of(one.token)]
    assert [[1, 1, 1]] * 8 == seen


def test_what_was_read_is_not_kept_alive(time: ManualWorld) -> None:
    credentials = made(time)
    assert credentials.access_key
    cache = weakref.ref(credentials._cache)
    del credentials
    gc.collect()
    assert cache() is None
    for _ in range(20):
        assert made(time).access_key
    assert len(_botocore_credentials._readings.get()) <= 8


def test_code_that_never_reads_all_parts_is_remembered_within_bounds(
    credentials: BridgeCredentials,
) -> None:
    for _ in range(100):
        exec("credentials.access_key", {"credentials": credentials})  # each is a place
    (reading,) = [one for one in _botocore_credentials._readings.get() if one.of()]
    assert len(reading.places) <= 32


# -- botocore's signers, which are given what is not frozen ----------------------------------------


class Recording(BridgeCredentials):
    """Notes of which set each part was, and calls *between* before each read."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self.seen: list[int] = []
        self.between: Callable[[int], None] = nothing

    def _read(self, read: Any) -> Any:
        self.between(len(self.seen))
        part = super()._read(read)
        self.seen.append(number_of(part))
        return part


def url_request() -> AWSRequest:
    request = AWSRequest("GET", "https://bucket.s3.amazonaws.com/key", params={})
    request.context["s3-presign-post-fields"] = {}
    request.context["s3-presign-post-policy"] = {"conditions": []}
    request.context["client_config"] = SimpleNamespace(s3={})
    return request


def signed_by(one: Any) -> None:
    one.add_auth(url_request())


def botocore_signers(credentials: Any) -> dict[str, Callable[[], None]]:
    where = ("s3", "us-east-1")
    found = {
        "SigV4": auth.SigV4Auth(credentials, *where),
        "SigV4 query": auth.SigV4QueryAuth(credentials, *where),
        "S3 SigV4": auth.S3SigV4Auth(credentials, *where),
        "S3 SigV4 query": auth.S3SigV4QueryAuth(credentials, *where),
        "S3 SigV4 POST": auth.S3SigV4PostAuth(credentials, *where),
        "HMAC": auth.HmacV1Auth(credentials),
        "HMAC query": auth.HmacV1QueryAuth(credentials),
        "HMAC POST": auth.HmacV1PostAuth(credentials),
        "SigV3": auth.SigV3Auth(credentials),
    }
    return {name: partial(signed_by, one) for name, one in found.items()}


@pytest.mark.parametrize("second", botocore_signers(None))
@pytest.mark.parametrize("first", botocore_signers(None))
def test_signers_of_botocore_by_turns(first: str, second: str, time: ManualWorld) -> None:
    """Idle for a second or more before each request, as long as a request over a network takes."""
    pause_s = 59 if first == second else 0.9
    for place in range(5):
        credentials = made(time, Recording)
        signers = botocore_signers(credentials)
        for name in (first, second, second, first):
            credentials.seen, credentials.between = [], nothing
            credentials.get_frozen_credentials()
            time.advance(21 * MINUTES)  # the next read starts a refresh, which is done at once
            credentials.between = at(place, lambda: time.advance(pause_s))
            signers[name]()
            assert 3 <= len(credentials.seen)
            assert 1 == len(set(credentials.seen))
            time.advance(1)


# -- threads and tasks -------------------------------------------------------------------------


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns a hundred times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_twenty_threads_through_many_refreshes(
    credentials: BridgeCredentials, time: ManualWorld
) -> None:
    """Each thread reads parts in an order of its own, and frozen sets; none is ever mixed."""
    torn: list[set[int]] = []
    signed, stop = [0] * 20, threading.Event()

    def read(number: int) -> None:
        sign = signer(ORDERS_OF_ONE_END[number % len(ORDERS_OF_ONE_END)])
        while not stop.is_set():
            frozen = credentials.get_frozen_credentials()
            both = [sign(credentials, nothing), set(map(number_of, frozen[:3]))]
            torn.extend(seen for seen in both if len(seen) != 1)
            signed[number] = max(both[0])

    threads = [threading.Thread(target=read, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(1, 7):
            # All sign with the newest set: no request takes so long that its set expires.
            while min(signed) < turn and not torn:
                threading.Event().wait(0.001)
            time.advance(40 * MINUTES)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [] == torn


@pytest.mark.parametrize("order", ORDERS)
def test_tasks_of_one_thread_do_not_mix_sets(order: str, time: ManualWorld) -> None:
    """Two tasks that read by turns, and a refresh between any two reads."""
    read_all = 2 * len(order)

    async def sign(credentials: Any, place: int) -> set[int]:
        seen = set()
        for part in order:
            seen.add(number_of(getattr(credentials, NAMES[part])))
            reads.append(part)
            if len(reads) == place:
                time.advance(0.9)
            await asyncio.sleep(0)
        return seen

    async def both(credentials: Any, place: int) -> list[set[int]]:
        assert credentials.access_key  # what tasks inherit
        return list(await asyncio.gather(*[sign(credentials, place) for _ in range(2)]))

    for place in range(read_all):
        credentials = made(time)
        reads: list[str] = []
        credentials.get_frozen_credentials()
        time.advance(21 * MINUTES)
        for seen in asyncio.run(both(credentials, place)):
            assert 1 == len(seen)


def test_a_thread_and_the_tasks_beside_it_do_not_share_a_reading(
    credentials: BridgeCredentials, time: ManualWorld
) -> None:
    async def run() -> list[int]:
        seen = [number_of(credentials.access_key), number_of(credentials.secret_key)]
        time.advance(40 * MINUTES)
        credentials.get_frozen_credentials()
        # In a thread with a copy of this context; it begins and ends readings of its own.
        await asyncio.to_thread(lambda: [signer("ast")(credentials, nothing) for _ in range(3)])
        return [*seen, number_of(credentials.token)]

    assert [1, 1, 1] == asyncio.run(run())


# -- aiobotocore -------------------------------------------------------------------------------


def test_parts_that_a_task_awaits_one_by_one_are_of_one_set(time: ManualWorld) -> None:
    pytest.importorskip("aiobotocore")
    from gcp_aws_bridge._botocore.aiobotocore import AioBridgeCredentials

    async def sign(credentials: Any, order: str, place: int) -> set[int]:
        reads = {
            "a": credentials.get_access_key,
            "s": credentials.get_secret_key,
            "t": credentials.get_token,
        }
        seen = set()
        for number, part in enumerate(order):
            if number == place:
                time.advance(59)
            seen.add(number_of(await reads[part]()))
            await asyncio.sleep(0)
        return seen

    async def both(order: str, place: int) -> None:
        credentials = made(time, AioBridgeCredentials)
        for _ in range(3):
            await credentials.get_frozen_credentials()
            time.advance(40 * MINUTES)
            both = [sign(credentials, order, place), sign(credentials, order, -1)]
            for seen in await asyncio.gather(*both):
                assert 1 == len(seen)

    for order in ORDERS:
        for place in range(len(order)):
            asyncio.run(both(order, place))


def test_parts_of_aiobotocore_that_expire_or_are_rejected_are_not_read_on(
    time: ManualWorld,
) -> None:
    pytest.importorskip("aiobotocore")
    from gcp_aws_bridge._botocore.aiobotocore import AioBridgeCredentials

    async def read(change: Callable[[Any], object]) -> list[int]:
        credentials = made(time, AioBridgeCredentials)
        seen = [number_of(await credentials.get_access_key())]
        change(credentials)
        seen.append(number_of(await credentials.get_secret_key()))
        return [*seen, number_of(await credentials.get_token())]

    assert [1, 2, 2] == asyncio.run(read(lambda _: time.advance(3600)))
    assert [1, 2, 2] == asyncio.run(read(lambda one: one.reject(f"ASIA{1:016d}")))
