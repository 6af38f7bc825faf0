"""What `azp` of an ID token is, and what AWS does with it: the only place that says so.

Google sets `azp` of a service account's token to the account's unique id in tokens of the metadata
server and of the IAM Credentials API, and to its e-mail in tokens that a key file is exchanged for
at Google's token endpoint (googleapis/google-auth-library-python#746) or that `generateIdToken`
makes with `useEmailAzp`. In a person's token it is the id of the OAuth client.

AWS takes `azp`, where there is one, for the audience: in the key `:aud` (IAM user guide, "IAM and
AWS STS condition context keys": "`azp` when the `azp` field is set"), and beside the client ids of
an IAM OIDC provider (aws/aws-sdk-net#3071: "Incorrect token audience" although the list has `aud`).
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
"""Where an ID token comes from, and what its `azp` is then."""

GET_NUMBER = "gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'"


def kind_of(text: str) -> str:
    """Return which of the three *text* is; empty for what no `azp` of Google's is."""
    return next((kind for kind, form in _FORMS.items() if is_name(form, text)), "")


def aws_audience(audiences: Sequence[str], party: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return what AWS calls the audience of a token, and the claim that it is.

    Args:
        audiences: The token's `aud`.
        party: Its `azp`; empty where it has none.

    Returns:
        What AWS compares with `:aud` and looks up in the client ids of an IAM OIDC provider. It is
        several texts only if the token has no `azp` and several audiences.
    """
    return (tuple(party), "azp") if party else (tuple(audiences), "aud")


def why_it_differs(seen: str, wanted: str) -> str:
    """Return why a token's `azp` is *seen* and not *wanted*, where both are of one of the kinds."""
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
