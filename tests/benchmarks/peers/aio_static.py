"""The baseline on aiobotocore: keys in the source."""

import asyncio

from aiobotocore.session import get_session


async def main() -> None:
    session = get_session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    async with session.create_client("s3") as s3:
        assert (await s3.list_buckets())["Buckets"]


asyncio.run(main())
