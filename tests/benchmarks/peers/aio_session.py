"""The same program with `aio.session`."""

import asyncio
import os

from gcp_aws_bridge import aio


async def main() -> None:
    session = aio.session(os.environ["AWS_ROLE_ARN"])
    async with session.create_client("s3") as s3:
        assert (await s3.list_buckets())["Buckets"]


asyncio.run(main())
