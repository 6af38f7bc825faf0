"""Exceptions of this library.

    BridgeError                 never raised itself; pickles; contains no token and no key
    ├─ ConfigError(ValueError)  a setting is missing or malformed: correct it, do not retry
    │  └─ MissingExtra(ImportError)  an SDK is not installed, or too old
    ├─ TokenError               no usable token
    │  └─ TokenUnavailable      this source does not exist here: a chain tries the next one
    └─ ExchangeError            STS denied it or was not reached: .code .request_id .retryable

A message says what failed, what to check or do, then the details, and ends with an id in brackets:
`gcp-aws-bridge explain ID` prints its section of docs/reference/errors.md. A boto3 client that
signs a request raises botocore's `CredentialRetrievalError`, which has the whole message; its
`__cause__` is one of these errors, with a short `str`, so that a traceback shows the message once.
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

# Error ids that were renamed: former and present id. `gcp-aws-bridge explain` accepts both;
# `error_id` is the present one.
RENAMED_IDS = {
    "doctor/somebody-else": "doctor/other-principal",
    "exchange/hop": "exchange/chained-role",
}


class BridgeError(Exception):
    """Base class of this library's errors.

    Args:
        summary: What failed, the actual and the expected value, in full sentences.
        fix: What to do about it: a command, a setting, or what to check in which order.
        error_id: Section in docs/reference/errors.md, which `gcp-aws-bridge explain` prints.
        retryable: Whether the same call may succeed later without any change.
        details: Further facts, such as the claims of a token. Summary and fix together have at
            most about 300 characters; longer text belongs here.
    """

    # The defaults are class attributes, and every argument but the first has one, so that the
    # pickling of Exception (class, args, __dict__) is enough.
    fix: str = ""
    error_id: str = ""
    retryable: bool = False
    details: str = ""
    _is_short: bool = False  # the error that this one causes shows the message

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
        """The complete text, with summary, fix, details and id."""
        parts = [str(self.args[0]) if self.args else type(self).__name__]
        if self.fix:
            parts.append(f"Fix: {self.fix}")
        if self.details:
            parts.append(f"Details: {self.details}")
        if self.error_id:
            parts.append(f"[{self.error_id}]")
        return " ".join(parts)

    def __copy__(self) -> Self:
        # Without the constructor: a subclass may have other arguments.
        made = type(self).__new__(type(self))
        made.args = self.args
        vars(made).update(vars(self))
        return made

    def __str__(self) -> str:
        """Return the message, or only the id if a botocore error shows the message."""
        if self._is_short and self.error_id:
            return f"[{self.error_id}] To read more: gcp-aws-bridge explain {self.error_id}"
        return self.message


def as_cause(error: BridgeError) -> BridgeError:
    """Return a copy of *error* for the `__cause__` of another error, which shows its message.

    Its `str` is short, so that a traceback shows the message once. It has no traceback.
    """
    made = error.__copy__()
    made._is_short = True
    made.__cause__ = error.__cause__
    return made


class ConfigError(BridgeError, ValueError):
    """A setting is missing or malformed. Raised before any request."""


class MissingExtra(ConfigError, ImportError):
    """An SDK that a module adapts to is not installed, or too old; names the extra to install."""


class TokenError(BridgeError):
    """A token source answered, but without a usable token."""


class TokenUnavailable(TokenError):
    """The token source does not exist on this machine; a chain tries the next one."""


class ExchangeError(BridgeError):
    """The other cloud denied the exchange, was not reached, or gave an unusable answer.

    Attributes:
        code: Error code of the other cloud (`AccessDenied`, `invalid_grant`), or the class name
            of a network error.
        request_id: AWS request id, for AWS support; empty if there was no answer.
        date: Time of the answer by the clock of STS (aware UTC); None if there was no answer.
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
# key is 40 characters of base64, and has a capital letter, unlike a SHA-1; a URL may contain a user
# and a password; lines of a PEM are shorter. (No mixture of both base64 alphabets: it would match
# long paths.)
_SECRET = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-\"]*|eyJ[\w-]{8,}(?:\.[\w-]*){0,2}"
    r"|[A-Za-z0-9+/=%]{100,}|[\w=-]{100,}|ya29\.[\w.-]{8,}"
    r"|(?<![\w+/-])(?=[a-z0-9+/]*[A-Z])(?=[A-Za-z+/]*[0-9]|[A-Za-z0-9]*[+/])(?!role/|user/)"
    r"[A-Za-z0-9+/]{40}(?![\w+/=-])|(?<=Signature=)[0-9a-f]{64}|(?<=://)[^/?#@\s]+(?=@)"
)


def redacted(text: str) -> str:
    """Return *text* with everything that looks like a token or a key replaced."""
    return re.sub(_SECRET, "[redacted]", text)  # compiled when first used


def quoted(value: object, limit: int = 200) -> str:
    """Return text of another program for a message: one printable line, shortened, no secrets.

    Both clouds echo parameters in some errors (STS: `Value '…' at 'webIdentityToken' failed…`).
    """
    try:
        text = str(value).strip("\r\n")
    except Exception:  # noqa: BLE001 - a number of over 4,300 digits, a broken __str__
        text = f"a {type(value).__name__}"
    flat = redacted(re.sub(r"\s+", " ", text))
    flat = "".join(c if c.isprintable() else "?" for c in flat)
    return f'"{flat if len(flat) <= limit else flat[: limit - 1] + "…"}"'
