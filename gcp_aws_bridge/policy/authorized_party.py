"""The claim `azp` of Google ID tokens, and how AWS uses it.

Tokens of a service account from the metadata server and the IAM Credentials API have the account's
unique id as `azp`. Tokens that Google's token endpoint returns for a key file
(googleapis/google-auth-library-python#746), or `generateIdToken` with `useEmailAzp`, have its
e-mail address. In the token of a user, `azp` is the id of the OAuth client.

If there is an `azp`, AWS uses it as the audience: in the key `:aud` (IAM user guide, "IAM and AWS
STS condition context keys": "`azp` when the `azp` field is set"), and for the client ids of an IAM
OIDC provider (aws/aws-sdk-net#3071: "Incorrect token audience" although the list contains `aud`).
"""

from __future__ import annotations

from collections.abc import Sequence

from .names import ACCOUNT_EMAIL, ACCOUNT_NUMBER, CLIENT_ID, is_name

__all__ = [
    "CLIENT",
    "EMAIL",
    "GET_NUMBER",
    "NUMBER",
    "SOURCES",
    "aws_audience",
    "kind_of",
    "why_it_differs",
]

NUMBER, EMAIL, CLIENT = "number", "e-mail", "OAuth client id"
_FORMS = {NUMBER: ACCOUNT_NUMBER, EMAIL: ACCOUNT_EMAIL, CLIENT: CLIENT_ID}

SOURCES = {
    "the metadata server": NUMBER,
    "the IAM Credentials API": NUMBER,
    "a key file": EMAIL,
    "a person's login": CLIENT,
}
"""Sources of ID tokens, and the kind of `azp` in their tokens."""

GET_NUMBER = "gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'"


def kind_of(text: str) -> str:
    """Return the kind of an `azp`; empty if Google issues no such `azp`."""
    return next((kind for kind, form in _FORMS.items() if is_name(form, text)), "")


def aws_audience(audiences: Sequence[str], party: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the audience of a token for AWS, and the name of the claim that contains it.

    Args:
        audiences: `aud` of the token.
        party: `azp` of the token; empty if there is none.

    Returns:
        The values that AWS compares with `:aud` and with the client ids of an IAM OIDC provider:
        more than one only if the token has no `azp` and several audiences.
    """
    return (tuple(party), "azp") if party else (tuple(audiences), "aud")


def why_it_differs(seen: str, wanted: str) -> str:
    """Return why the `azp` of a token is *seen* instead of *wanted*; empty if not known."""
    kinds = kind_of(seen), kind_of(wanted)
    if not all(kinds) or kinds[0] == kinds[1]:
        return ""
    seen_in, wanted_in = (
        " or ".join(source for source, kind in SOURCES.items() if kind == one) for one in kinds
    )
    return (
        f"azp is the {kinds[0]} in a token of {seen_in}, the {kinds[1]} in one of {wanted_in}; to "
        "admit both, list both, and pin :sub"
    )
