"""polars: `credential_provider=` of what it scans, reads, sinks and writes.

import polars
from gcp_aws_bridge.adapters.polars import CredentialProvider

provider = CredentialProvider("arn:aws:iam::123456789012:role/etl")
options = {"aws_region": "eu-west-1"}
polars.scan_parquet("s3://bucket/*", storage_options=options, credential_provider=provider)
"""

from __future__ import annotations

from datetime import timedelta

from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge._cache.policy import POLICY
from gcp_aws_bridge._extra import extra

with extra("polars", "polars", "1.33.1"):
    import polars  # noqa: F401 - so that it is missed here

__all__ = ["CredentialProvider"]

# polars keeps credentials to the very end that is named (CachingCredentialProvider; in Rust,
# FetchedCredentialsCache), and refuses one that is past. So the end is its next question, not
# theirs: the cache gives nothing that has less life than this. Named nearer than 7 s, its Delta
# tables would sleep (_get_credentials_from_provider_expiry_aware, polars 2.1).
_ASK_AGAIN = timedelta(seconds=POLICY.mandatory_window_s)


class CredentialProvider(Adapter):
    """Give polars credentials, and have it ask again every ten seconds; pickles as settings.

    A lazy frame that is serialised carries settings too: who collects it asks for its own.
    One provider for all frames has polars keep one store for each bucket.

    Args:
        role_arn: As for `gcp_aws_bridge.session`, and so are *token_source* and the settings.
        at_least: For how many seconds a query needs them that asks only when it begins.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """

    def __call__(self) -> tuple[dict[str, str], int]:
        """Credentials, and when to ask again (seconds since 1970), which is not their end.

        Raises:
            BridgeError: None are to be had. polars 2 raises it as it is; polars 1 may raise an
                `OSError` or `ComputeError` of its own, with its words.
        """
        credentials = self._cache.get(self._at_least_s)
        return {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
            "aws_session_token": credentials.session_token,
        }, int((utc_now() + _ASK_AGAIN).timestamp())
