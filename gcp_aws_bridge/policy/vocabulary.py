"""Condition keys of each issuer's tokens, with the claims and forms of their values.

`lint` and `evaluate` share it.
Sources: IAM user guide, "IAM and AWS STS condition context keys", available keys for AWS OIDC
federation; "Create a role for OpenID Connect federation" (what a role for each of the built-in
providers must pin); Kubernetes, "Managing Service Accounts". For `azp` see `authorized_party`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import NamedTuple

from .authorized_party import CLIENT, EMAIL, NUMBER
from .languages import ANYTHING, Language, Step, one_of, sequence
from .names import ACCOUNT_EMAIL, ACCOUNT_NUMBER, CLIENT_ID, SUBJECT, SUBJECT_WANTED
from .principals import AMAZON, COGNITO, FACEBOOK, GOOGLE, is_cluster

__all__ = [
    "NOT_IN_REQUEST",
    "ONE_ACCOUNT",
    "Form",
    "Pin",
    "Vocabulary",
    "of_request",
    "vocabulary",
]

NOT_IN_REQUEST = frozenset(
    {
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:tokenissuetime",
        "aws:username",
        "sts:externalid",
    }
)
"""Keys of requests to AWS that a request with an ID token never has, in lower case.

IAM user guide, "AWS global condition context keys": the first three are "included in the request
context only when the principal uses temporary credentials to make the request", and this request is
not signed; `aws:username` is for IAM users. STS API reference: AssumeRoleWithWebIdentity has no
parameter `ExternalId`.
"""

_DIGITS = frozenset(string.digits)
_LOWER = frozenset(string.ascii_lowercase + string.digits)
_WORD = frozenset(string.ascii_letters + string.digits + "_-")


class Form(NamedTuple):
    """Form of a claim's value.

    Attributes:
        language: Language of the values; slightly larger than *rule* if a language cannot express
            the rule.
        rule: Regular expression for the whole value; empty: anything.
        wanted: Description of the form.
    """

    language: Language
    rule: str = ""
    wanted: str = ""


class Pin(NamedTuple):
    """Key that a policy must pin, and the consequence if it does not."""

    severity: str
    consequence: str


class Vocabulary(NamedTuple):
    """Tokens of one issuer.

    Attributes:
        pins: Keys that a trust policy must pin, by the part after the issuer's name.
        tokens: All kinds of tokens: the claim and its form, by key. Two keys with the same claim
            always have the same value.
        open: Keys whose presence or values are not known; None: any key is possible.
    """

    pins: Mapping[str, Pin]
    tokens: tuple[Mapping[str, tuple[str, Form]], ...]
    open: frozenset[str] | None = frozenset()

    @property
    def keys(self) -> list[str]:
        """All keys of the tokens, in the order of the table."""
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
    """Return the alternatives for a name that begins and ends with a letter or digit."""
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
# AWS compares each key separately; in Google's tokens, a number in azp is that of the subject.
_BY_ONE_ACCOUNT = [{**_BY_GOOGLE[0], "aud": _SUB}, *_BY_GOOGLE[1:]]
_IN_ORGANIZATION = {"google/organization_number": ("organization_number", _ORGANIZATION)}

_REPLAY = "every service that receives an ID token of this account can replay it to AWS"
_OTHERS = Pin("error", "tokens that the issuer signed for other services are admitted")
_ANYBODY = Pin("error", "every identity of the issuer is admitted")
_ANY_APP = Pin("error", "the users of every app of this provider are admitted")
_OIDC = {"aud": _OTHERS, "sub": _ANYBODY}
_KNOWN = {
    GOOGLE: Vocabulary(
        {
            "aud": Pin("warning", "nothing pins the authorized party of the token (azp)"),
            "oaud": Pin("error", _REPLAY),
            "sub": Pin("error", "nothing pins the subject of the token"),
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
"""Google's tokens, without combinations of different accounts in `azp` and `sub`."""


def of_request(key: str) -> bool:
    """Return whether a key belongs to the request, not to the token."""
    return key.lower().startswith(("aws:", "sts:"))


def vocabulary(issuer: str) -> Vocabulary:
    """Return the vocabulary of *issuer*, a URL without the scheme."""
    if issuer in _KNOWN:
        return _KNOWN[issuer]
    if is_cluster(issuer):
        return Vocabulary(_OIDC, ({"aud": _AUDIENCE, "sub": ("sub", _SUBJECT)},))
    # AWS supports further claims of some issuers as keys (GitHub's `repository`), and adds more.
    return Vocabulary(_OIDC, ({"aud": _AUDIENCE, "sub": ("sub", _ANY)},), None)
