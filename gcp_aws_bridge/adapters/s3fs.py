"""Credentials for fsspec's S3: pandas, Dask, pyarrow, xarray and others with `storage_options`.

import pandas
from gcp_aws_bridge.adapters import s3fs

options = s3fs.options("arn:aws:iam::123456789012:role/etl", region_name="eu-west-1")
pandas.read_parquet("s3://bucket/part.parquet", storage_options=options)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge.config import Role

with extra("s3fs", "s3fs", "2024.10.0"):
    import s3fs  # noqa: F401 - reports a missing installation here instead of in fsspec

    # After s3fs, which needs aiobotocore: otherwise the error would name another extra.
    from gcp_aws_bridge._botocore.aiobotocore import BridgeAioSession

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gcp_aws_bridge._botocore.request import RoleSettings

__all__ = ["options"]


def options(
    role_arn: str | Role | None = None,
    *,
    region_name: str | None = None,
    token_source: TokenSource | None = None,
    at_least: float = 0.0,
    **settings: Unpack[RoleSettings],
) -> dict[str, Any]:
    """Return options for `s3fs.S3FileSystem` and `storage_options=`: `{"session": …}`.

    Equal arguments share one file system in a process, as fsspec does. The options pickle as
    settings: each process gets credentials of its own.

    Args:
        role_arn: As for `gcp_aws_bridge.session`.
        region_name: As for `gcp_aws_bridge.session`.
        token_source: As for `gcp_aws_bridge.session`.
        at_least: Number of seconds for which a URL of `S3FileSystem.url` needs the credentials.
        **settings: As for `gcp_aws_bridge.session`.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    session = BridgeAioSession(
        role_arn,
        region_name=region_name,
        token_source=token_source,
        at_least=at_least,
        **settings,
    )
    return {"session": session}
