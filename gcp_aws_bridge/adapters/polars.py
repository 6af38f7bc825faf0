"""Credentials for polars: `credential_provider=` of scan, read, sink and write functions.

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
    import polars  # noqa: F401 - reports a missing installation here

__all__ = ["CredentialProvider"]

# polars keeps credentials until the returned expiration (CachingCredentialProvider; in Rust,
# FetchedCredentialsCache), and rejects expired ones. So the provider returns the time of the next
# call instead: the cache returns no credentials that expire earlier. With less than 7 s, polars'
# Delta tables would sleep (_get_credentials_from_provider_expiry_aware, polars 2.1).
_ASK_AGAIN = timedelta(seconds=POLICY.mandatory_window_s)


class CredentialProvider(Adapter):
    """Credential provider for polars, which calls it every ten seconds; pickles as settings.

    A serialized lazy frame contains the settings: the process that collects it gets credentials of
    its own. With one provider for all frames, polars keeps one store for each bucket.

    Args:
        role_arn: As for `gcp_aws_bridge.session`; so are `token_source` and the other settings.
        at_least: Number of seconds for which queries need the credentials that they get at their
            start.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """

    def __call__(self) -> tuple[dict[str, str], int]:
        """Return credentials, and the time of the next call (seconds since 1970).

        Raises:
            BridgeError: No credentials are available. polars 2 raises this error; polars 1 may
                raise an `OSError` or `ComputeError` with its message.
        """
        credentials = self._cache.get(self._at_least_s)
        return {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
            "aws_session_token": credentials.session_token,
        }, int((utc_now() + _ASK_AGAIN).timestamp())
