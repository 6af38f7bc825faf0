"""Everything this library raises of its own.

    BridgeError                 never raised itself; pickles; holds no token and no key
    ├─ ConfigError(ValueError)  a setting is missing or malformed: mend it, do not retry
    │  └─ MissingExtra(ImportError)  what a module here is for is not installed, or too old
    ├─ TokenError               no usable token to trade
    │  └─ TokenUnavailable      this source does not exist here: a chain of sources goes on
    └─ ExchangeError            STS said no or could not be reached: .code .request_id .retryable

A message says what failed, what to check or do, then the details, and ends with an id in brackets:
`gcp-aws-bridge explain ID` prints its section of docs/reference/errors.md. A boto3 client that
signs a request raises botocore's `CredentialRetrievalError`, which has the whole message; its
`__cause__` is one of these, whose `str` is short so that a traceback has the message once.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Self

__all__ = [
    "BridgeError",
    "ConfigError",
    "ExchangeError",
    "MissingExtra",
    "TokenError",
    "TokenUnavailable",
]


class BridgeError(Exception):
    """The base of this library's errors.

    Args:
        summary: What failed, what was seen and what was wanted, in full sentences.
        fix: What to do about it: a command, a setting, or what to check in which order.
        error_id: Its section in docs/reference/errors.md, which `gcp-aws-bridge explain` prints.
        retryable: The same may succeed later without any change.
        details: What helps to do it, such as the claims of a token. Summary and fix together have
            at most about 300 characters; what is longer belongs here.
    """

    # Class attributes are the defaults, and every argument but the first has one, so that the
    # pickling that Exception brings (class, args, __dict__) is enough.
    fix: str = ""
    error_id: str = ""
    retryable: bool = False
    details: str = ""
    _is_told: bool = False  # the error that this one causes has the message

    def __init__(
        self,
        summary: str,
        *,
        fix: str = "",
        error_id: str = "",
        retryable: bool = False,
        details: str = "",
    ) -> None:
        super().__init__(summary)
        self.fix = fix
        self.error_id = error_id
        self.retryable = retryable
        self.details = details

    @property
    def message(self) -> str:
        """The complete text, which has summary, fix, details and id."""
        parts = [str(self.args[0]) if self.args else type(self).__name__]
        if self.fix:
            parts.append(f"Fix: {self.fix}")
        if self.details:
            parts.append(f"Details: {self.details}")
        if self.error_id:
            parts.append(f"[{self.error_id}]")
        return " ".join(parts)

    def __copy__(self) -> Self:
        # Without its constructor: a subclass may want other arguments.
        made = type(self).__new__(type(self))
        made.args = self.args
        vars(made).update(vars(self))
        return made

    def __str__(self) -> str:
        """Return the message, or where to read more if a botocore error has the message."""
        if self._is_told and self.error_id:
            return f"[{self.error_id}] To read more: gcp-aws-bridge explain {self.error_id}"
        return self.message


def as_cause(error: BridgeError) -> BridgeError:
    """Return a copy of *error* to be the `__cause__` of another error, which has its message.

    Its `str` is short, so that a traceback has the message once. It has no traceback of its own.
    """
    made = error.__copy__()
    made._is_told = True
    made.__cause__ = error.__cause__
    return made


class ConfigError(BridgeError, ValueError):
    """A setting is missing or malformed. Raised before anything is sent."""


class MissingExtra(ConfigError, ImportError):
    """An SDK that a module here adapts to is not installed, or too old; says which extra has it."""


class TokenError(BridgeError):
    """A token source answered, but not with a usable token."""


class TokenUnavailable(TokenError):
    """This token source does not exist on this machine: the next one may."""


class ExchangeError(BridgeError):
    """The other cloud refused the exchange, was not reached, or answered what cannot be used.

    Attributes:
        code: The other cloud's own (`AccessDenied`, `invalid_grant`), or the class name of a
            network error.
        request_id: The AWS request id to give to AWS support; empty when there was no answer.
        date: When STS said so, by its own clock (aware UTC); None when there was no answer.
    """

    code: str = ""
    request_id: str = ""
    date: datetime | None = None

    def __init__(
        self,
        summary: str,
        *,
        fix: str = "",
        error_id: str = "",
        code: str = "",
        request_id: str = "",
        retryable: bool = False,
        details: str = "",
    ) -> None:
        super().__init__(summary, fix=fix, error_id=error_id, retryable=retryable, details=details)
        self.code = code
        self.request_id = request_id


# A JWT starts with the base64url of '{"'; an AWS session token is hundreds of characters of base64
# (in a signed request, percent-encoded); Google's access tokens start with "ya29."; a secret access
# key is 40 characters of base64, and has a capital letter, unlike a SHA-1; an address may have its
# user and password in it. (No mixture of both base64 alphabets, or a long path would be taken for a
# token.)
_SECRET = (
    r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|[A-Za-z0-9+/=%]{100,}|[\w=-]{100,}|ya29\.[\w.-]{8,}"
    r"|(?<![\w+/-])(?=[a-z0-9+/]*[A-Z])(?=[A-Za-z+/]*[0-9]|[A-Za-z0-9]*[+/])(?!role/|user/)"
    r"[A-Za-z0-9+/]{40}(?![\w+/=-])|(?<=Signature=)[0-9a-f]{64}|(?<=://)[^/?#@\s]+(?=@)"
)


def redacted(text: str) -> str:
    """Return *text* with "[redacted]" for everything that looks like a token or a key."""
    return re.sub(_SECRET, "[redacted]", text)  # compiled when first used


def quoted(value: object, limit: int = 200) -> str:
    """Return foreign text for a message: on one line, printable, cut, without secrets.

    Both clouds echo parameters in some errors (STS: `Value '…' at 'webIdentityToken' failed…`).
    """
    try:
        text = str(value).strip("\r\n")
    except Exception:  # noqa: BLE001 - a number of over 4,300 digits, a broken __str__
        text = f"a {type(value).__name__}"
    flat = redacted(re.sub(r"\s+", " ", text))
    flat = "".join(c if c.isprintable() else "?" for c in flat)
    return f'"{flat if len(flat) <= limit else flat[: limit - 1] + "…"}"'
