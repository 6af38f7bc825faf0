"""The pause of an event loop while credentials are refreshed.

`event_loop.py CONTENDER ROUNDS`; CONTENDER is `bridge`, `recipe` (botocore's credentials, read in
a coroutine), `aiobotocore` (the same recipe with aiobotocore's credentials and STS client) or
`quiet` (static keys: the pauses of the machine itself).

Eight tasks read the credentials every other millisecond, and a ticker sleeps for one: its delay is
the pause of the loop. In each round all clocks jump to a time at which both libraries refresh,
which takes the 400 ms of STS, and a second passes.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from simulated import RunningClock, connect, refreshing_credentials

TASKS, PACE_S, TICK_S, STS_LATENCY_S, ROUND_S = 8, 0.002, 0.001, 0.4, 1.0
contender, rounds = sys.argv[1], int(sys.argv[2])
Ask = Callable[[], Awaitable[Any]]


async def bridge(clock: RunningClock) -> Ask:
    from gcp_aws_bridge import aio
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._cache.sharing import registry

    registry.world = World(clock=clock.now, monotonic=clock.monotonic)
    return frozen(aio.credentials(os.environ["AWS_ROLE_ARN"]))


async def recipe(clock: RunningClock) -> Ask:
    credentials = refreshing_credentials("recipe", clock)

    async def ask() -> Any:
        return credentials.get_frozen_credentials()

    return ask


async def aiobotocore(clock: RunningClock) -> Ask:
    from aiobotocore.config import AioConfig
    from aiobotocore.credentials import AioRefreshableCredentials
    from aiobotocore.session import AioSession
    from botocore import UNSIGNED
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import fetch_id_token

    session, config = AioSession(), AioConfig(signature_version=UNSIGNED)

    async def refresh() -> dict[str, str]:
        token = fetch_id_token(Request(), "sts.amazonaws.com")
        async with session.create_client("sts", config=config) as sts:
            answer = await sts.assume_role_with_web_identity(
                RoleArn=os.environ["AWS_ROLE_ARN"],
                RoleSessionName="bench",
                WebIdentityToken=token,
            )
        found = answer["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }

    made = AioRefreshableCredentials.create_from_metadata(await refresh(), refresh, "recipe")
    made._time_fetcher = clock.now  # `create_from_metadata` does not take it
    return frozen(made)


async def quiet(clock: RunningClock) -> Ask:
    from aiobotocore.credentials import AioCredentials

    return frozen(AioCredentials("AKIA", "secret"))


def frozen(credentials: Any) -> Ask:
    return credentials.get_frozen_credentials  # type: ignore[no-any-return]


async def ticking(late_s: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late_s.append(time.perf_counter() - started - TICK_S)


async def asking(ask: Ask, until: float) -> None:
    while time.perf_counter() < until:
        await ask()
        await asyncio.sleep(PACE_S)


async def main() -> list[float]:
    clock = RunningClock(clouds)
    ask = await {f.__name__: f for f in (bridge, recipe, aiobotocore, quiet)}[contender](clock)
    await ask()  # imports
    clouds("sts_latency", seconds=STS_LATENCY_S)
    longest_ms = []
    for number in range(1, rounds + 1):
        clock.jump(timedelta(minutes=46 * number))
        before = clouds("counts")["sts"]
        late_s: list[float] = []
        ticker = asyncio.create_task(ticking(late_s))
        until = time.perf_counter() + ROUND_S
        await asyncio.gather(*(asking(ask, until) for _ in range(TASKS)))
        ticker.cancel()
        exchanges = clouds("counts")["sts"] - before
        assert exchanges == (contender != "quiet"), f"{exchanges} exchanges in one round"
        longest_ms.append(max(late_s) * 1000)
    return longest_ms


clouds = connect()
longest = asyncio.run(main())
clouds("sts_latency", seconds=0.0)
print(json.dumps({"longest_ms": longest}))
