"""What the tokens of an issuer can hold: the keys, where they come from, and what form they have.

The one table behind `lint`, which says what no token can meet, and `check`, which judges one token.
Sources: IAM user guide, "IAM and AWS STS condition context keys", available keys for AWS OIDC
federation; "Create a role for OpenID Connect federation" (what a role for each of the built-in
providers must pin); Kubernetes, "Managing Service Accounts". What `azp` can be is said in
`authorized_party`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import NamedTuple

from .authorized_party import CLIENT, EMAIL, NUMBER
from .languages import ANYTHING, Language, Step, one_of, sequence
from .names import ACCOUNT_EMAIL, ACCOUNT_NUMBER, CLIENT_ID, SUBJECT, SUBJECT_WANTED
from .principals import AMAZON, COGNITO, FACEBOOK, GOOGLE, is_cluster

__all__ = ["ONE_ACCOUNT", "Form", "Pin", "Vocabulary", "vocabulary"]

_DIGITS = frozenset(string.digits)
_LOWER = frozenset(string.ascii_lowercase + string.digits)
_WORD = frozenset(string.ascii_letters + string.digits + "_-")


class Form(NamedTuple):
    """What one claim can be.

    Attributes:
        language: All of it; a little more where *rule* says what a language here cannot.
        rule: A regular expression for all of it; empty: anything.
        wanted: The same in words.
    """

    language: Language
    rule: str = ""
    wanted: str = ""


class Pin(NamedTuple):
    """A key that a policy must compare, and what comes of it where none does."""

    severity: str
    consequence: str


class Vocabulary(NamedTuple):
    """The tokens of one issuer.

    Attributes:
        pins: The keys that a trust policy must pin, by the part after the issuer's name.
        tokens: Every kind of token: for each key that it has, the claim that is compared and what
            that claim can be. Two keys with one claim always have the same value.
        open: Keys whose presence or values cannot be told; None: there may be keys of any name.
    """

    pins: Mapping[str, Pin]
    tokens: tuple[Mapping[str, tuple[str, Form]], ...]
    open: frozenset[str] | None = frozenset()

    @property
    def keys(self) -> list[str]:
        """Every key that some token has, in the order of the table."""
        return list(dict.fromkeys(key for token in self.tokens for key in token))

    def closed_to(self, key: str) -> bool:
        """Return whether no token has this key."""
        return self.open is not None and key not in self.open and key not in self.keys


def _many(chars: frozenset[str], least: int = 1, most: int | None = None) -> list[Step]:
    exact = [Step(chars)] * least
    if most is None:
        return [*exact, Step(chars, skip=True, loop=True)]
    return [*exact, *[Step(chars, skip=True)] * (most - least)]


def _named(middle: frozenset[str]) -> list[list[Step]]:
    """Return the two ways of writing a name that neither begins nor ends with a sign."""
    return [[Step(_LOWER)], [Step(_LOWER), Step(middle, skip=True, loop=True), Step(_LOWER)]]


_ANY = Form(ANYTHING)
_NUMBER = Form(sequence(*_many(_DIGITS, 18, 24)), ACCOUNT_NUMBER, f"the account's {NUMBER}")
_EMAIL = Form(
    sequence(
        Step(_LOWER),
        Step(_LOWER | {".", "-"}, skip=True, loop=True),
        "@",
        *_many(_LOWER | {".", "-"}),
        ".gserviceaccount.com",
    ),
    ACCOUNT_EMAIL,
    f"the account's {EMAIL}",
)
_CLIENT = Form(sequence(*_many(_WORD), ".apps.googleusercontent.com"), CLIENT_ID, f"an {CLIENT}")
_ORGANIZATION = Form(sequence(*_many(_DIGITS, 1, 20)), r"\d{1,20}", "a number")
_SUBJECT = Form(
    one_of(
        sequence("system:serviceaccount:", *namespace, ":", *name)
        for namespace in _named(_LOWER | {"-"})
        for name in _named(_LOWER | {"-", "."})
    ),
    SUBJECT,
    SUBJECT_WANTED,
)

_AUDIENCE, _SUB = ("aud", _ANY), ("sub", _NUMBER)
_BY_GOOGLE = [
    {"aud": ("azp", form), "oaud": _AUDIENCE, "sub": _SUB} for form in (_NUMBER, _EMAIL, _CLIENT)
]
_BY_GOOGLE += [{"aud": _AUDIENCE, "oaud": _AUDIENCE, "sub": _SUB}]  # a token without azp
# AWS compares each key by itself; in tokens of Google's, a number in azp is the subject's own.
_BY_ONE_ACCOUNT = [{**_BY_GOOGLE[0], "aud": _SUB}, *_BY_GOOGLE[1:]]
_IN_ORGANIZATION = {"google/organization_number": ("organization_number", _ORGANIZATION)}

_REPLAY = "every service that is given an ID token of this account can replay it to AWS"
_OTHERS = Pin("error", "tokens that the issuer made for any other service are admitted")
_ANYBODY = Pin("error", "everybody that the issuer vouches for is admitted")
_ANY_APP = Pin("error", "the users of every app of this provider are admitted")
_OIDC = {"aud": _OTHERS, "sub": _ANYBODY}
_KNOWN = {
    GOOGLE: Vocabulary(
        {
            "aud": Pin("warning", "nothing pins who asked for the token (its azp)"),
            "oaud": Pin("error", _REPLAY),
            "sub": Pin("error", "nothing pins whose token it is"),
        },
        (*_BY_GOOGLE, *({**token, **_IN_ORGANIZATION} for token in _BY_GOOGLE)),
    ),
    COGNITO: Vocabulary(
        {"aud": Pin("error", "the users of every identity pool are admitted")},
        ({"aud": _AUDIENCE, "sub": ("sub", _ANY)},),
        frozenset({"amr"}),
    ),
    FACEBOOK: Vocabulary({"app_id": _ANY_APP}, ({"app_id": ("app_id", _ANY), "id": ("id", _ANY)},)),
    AMAZON: Vocabulary(
        {"app_id": _ANY_APP}, ({"app_id": ("app_id", _ANY), "user_id": ("user_id", _ANY)},)
    ),
}


ONE_ACCOUNT = _KNOWN[GOOGLE]._replace(
    tokens=(*_BY_ONE_ACCOUNT, *({**token, **_IN_ORGANIZATION} for token in _BY_ONE_ACCOUNT))
)
"""Google's tokens, of which none has the number of one account as `azp` and another's as `sub`."""


def vocabulary(issuer: str) -> Vocabulary:
    """Return what the tokens of *issuer*, its URL without the scheme, can hold."""
    if issuer in _KNOWN:
        return _KNOWN[issuer]
    if is_cluster(issuer):
        return Vocabulary(_OIDC, ({"aud": _AUDIENCE, "sub": ("sub", _SUBJECT)},))
    # AWS takes further claims of some issuers for keys (GitHub's `repository`), and more each year.
    return Vocabulary(_OIDC, ({"aud": _AUDIENCE, "sub": ("sub", _ANY)},), None)
