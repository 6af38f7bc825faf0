"""The value that the library makes: one whole, immutable set of AWS credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class AwsCredentials:
    """Temporary AWS credentials of one role session. `repr` shows no secret.

    Attributes:
        access_key_id: Starts with `ASIA`; not secret, and useful in a log.
        expiration: The last instant of use, aware UTC: the earliest of all hops.
        account_id: The twelve digits of the account whose role this is.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime
    account_id: str = ""
