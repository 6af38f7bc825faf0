"""Two hundred tasks of one event loop at a cold start: `many_tasks.py`."""

import asyncio
import json
import os
import time

from gcp_aws_bridge import aio

TASKS = 200


async def main() -> float:
    session = aio.session(os.environ["AWS_ROLE_ARN"])
    started = time.perf_counter()
    async with session.create_client("s3") as s3:
        answers = await asyncio.gather(*(s3.list_buckets() for _ in range(TASKS)))
    assert all(answer["Buckets"] for answer in answers)
    return time.perf_counter() - started


print(json.dumps({"tasks": TASKS, "took_s": asyncio.run(main())}))
