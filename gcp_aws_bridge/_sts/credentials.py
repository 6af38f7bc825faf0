"""The result of an exchange: one complete, immutable set of AWS credentials."""

from datetime import datetime

from gcp_aws_bridge._cache.values import SecretValue


class AwsCredentials(SecretValue):
    """Temporary AWS credentials of one role session. `repr` and `str` show no secret.

    Neither a tuple nor a dataclass: crash reporters would show the fields of those.

    Attributes:
        access_key_id: Starts with `ASIA`. Not secret, and useful in a log.
        expiration: Expiration, aware UTC: the earliest of all roles in the chain.
        account_id: Account id of the role, twelve digits.
        region: Region of the STS that issued them; empty if it is not known.
    """

    __slots__ = (
        "access_key_id",
        "account_id",
        "expiration",
        "region",
        "secret_access_key",
        "session_token",
    )

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime
    account_id: str
    region: str

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: str,
        expiration: datetime,
        account_id: str = "",
        region: str = "",
    ) -> None:
        self._set(
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            expiration=expiration,
            account_id=account_id,
            region=region,
        )

    @property
    def public_id(self) -> str:
        """The access key id, which services name when they reject it."""
        return self.access_key_id

    def __repr__(self) -> str:
        return f"<AwsCredentials {self.access_key_id} until {self.expiration.isoformat()}>"
