"""A call of an STS action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .accounts import Accounts, Caller, Key
from .answers import Tree
from .clock import iso
from .conditions import Context

__all__ = ["Call", "SignedCall", "credentials"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request for an action.

    Attributes:
        accounts: State of AWS.
        params: Parameters of the request.
        context: Values of the condition keys that all requests have.
        now: The current time.
    """

    accounts: Accounts
    params: Mapping[str, str] = field(repr=False)
    context: Context = field(repr=False)
    now: datetime


@dataclass(frozen=True, slots=True)
class SignedCall(Call):
    """A signed request.

    Attributes:
        region: Region in the signature.
        key: Key that signed the request.
    """

    region: str
    key: Key = field(repr=False)

    @property
    def caller(self) -> Caller:
        """The identity that signed the request."""
        return self.key.caller


def credentials(key: Key) -> Tree:
    """Return the `Credentials` element of an answer."""
    return {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "SessionToken": key.session_token,
        "Expiration": iso(key.expiration) if key.expiration else None,
    }
