"""Everything this library raises of its own.

    BridgeError                 never raised itself; pickles; holds no token and no key
    ├─ ConfigError(ValueError)  a setting is missing or malformed: mend it, do not retry
    │  └─ MissingExtra(ImportError)  what a module here is for is not installed, or too old
    ├─ TokenError               no usable token to trade
    │  └─ TokenUnavailable      this source does not exist here: a chain of sources goes on
    └─ ExchangeError            STS said no or could not be reached: .code .request_id .retryable

A message says what was seen, what was wanted, and ends with what to do and an id in brackets: the
heading of its section in docs/reference/errors.md. Where botocore asked (a boto3 client signing a
request), it sees its own `CredentialRetrievalError`, with one of these as `__cause__`.
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
        fix: What to do about it, a command or a setting.
        error_id: Its section in docs/reference/errors.md.
        retryable: The same may succeed later without anybody changing anything.
    """

    # Class attributes are the defaults, and every argument but the first has one, so that the
    # pickling that Exception brings (class, args, __dict__) is enough.
    fix: str = ""
    error_id: str = ""
    retryable: bool = False

    def __init__(
        self, summary: str, *, fix: str = "", error_id: str = "", retryable: bool = False
    ) -> None:
        super().__init__(summary)
        self.fix = fix
        self.error_id = error_id
        self.retryable = retryable

    def __copy__(self) -> Self:
        # Without its constructor: a subclass of somebody's own may want other arguments.
        made = type(self).__new__(type(self))
        made.args = self.args
        vars(made).update(vars(self))
        return made

    def __str__(self) -> str:
        parts = [str(self.args[0]) if self.args else type(self).__name__]
        if self.fix:
            parts.append(f"Fix: {self.fix}")
        if self.error_id:
            parts.append(f"[{self.error_id}]")
        return " ".join(parts)


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
    ) -> None:
        super().__init__(summary, fix=fix, error_id=error_id, retryable=retryable)
        self.code = code
        self.request_id = request_id


# A JWT starts with the base64url of '{"'; an AWS session token is hundreds of characters of base64
# (in a signed request, percent-encoded); Google's access tokens start with "ya29."; a secret access
# key is 40 characters of base64, and has a capital letter, unlike a SHA-1; an address may have its
# user and password in it. (No mixture of both base64 alphabets, or a long path would be taken for a
# token.)
_SECRET = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|[A-Za-z0-9+/=%]{100,}|[\w=-]{100,}|ya29\.[\w.-]{8,}"
    r"|(?<![\w+/-])(?=[a-z0-9+/]*[A-Z])(?=[A-Za-z+/]*[0-9]|[A-Za-z0-9]*[+/])(?!role/|user/)"
    r"[A-Za-z0-9+/]{40}(?![\w+/=-])|(?<=Signature=)[0-9a-f]{64}|(?<=://)[^/?#@\s]+(?=@)"
)


def redacted(text: str) -> str:
    """Return *text* with "[redacted]" for everything that looks like a token or a key."""
    return _SECRET.sub("[redacted]", text)


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
