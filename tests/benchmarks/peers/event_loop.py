"""How long an event loop stands still while credentials are replaced.

`event_loop.py CONTENDER ROUNDS`, CONTENDER one of `bridge`, `recipe` (botocore's credentials, asked
in a coroutine), `aiobotocore` (the same recipe with aiobotocore's credentials and STS client),
`quiet` (static keys: what the machine itself does to a loop).

Eight tasks ask for credentials every other millisecond, and a ticker wants to be woken every one:
how late it is, the loop stood still. In each round a second passes on everybody's clock jumped to
when both libraries want to refresh, which takes the 400 ms that STS takes.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from simulated import RunningClock, connect, renewing

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
    credentials = renewing("recipe", clock)

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
        asked = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late_s.append(time.perf_counter() - asked - TICK_S)


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
