"""One call of an STS action, as the modules that carry it out see it."""

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
        accounts: What AWS holds.
        params: The request's parameters.
        context: Values of the condition keys that any such request has.
        now: The present instant.
    """

    accounts: Accounts
    params: Mapping[str, str] = field(repr=False)
    context: Context = field(repr=False)
    now: datetime


@dataclass(frozen=True, slots=True)
class SignedCall(Call):
    """A request that is signed.

    Attributes:
        region: The region that it was signed for.
        key: The key that it was signed with.
    """

    region: str
    key: Key = field(repr=False)

    @property
    def caller(self) -> Caller:
        """Who signed the request."""
        return self.key.caller


def credentials(key: Key) -> Tree:
    """Return the element that temporary credentials are answered with."""
    return {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "SessionToken": key.session_token,
        "Expiration": iso(key.expiration) if key.expiration else None,
    }
