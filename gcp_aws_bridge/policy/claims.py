"""Condition keys that IAM derives from the claims of an ID token.

Source: IAM user guide, "IAM and AWS STS condition context keys", available keys for AWS OIDC
federation. `:aud` is the token's `azp` if it has one, else its `aud` (`authorized_party`);
`:sub` is `sub`; only Google has `:oaud`, which is always `aud`. For an issuer with an IAM OIDC
provider in the account, keys begin with the issuer's URL without its scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from gcp_aws_bridge.exceptions import ConfigError, quoted

from .authorized_party import aws_audience
from .principals import GOOGLE
from .vocabulary import NOT_IN_REQUEST, of_request, vocabulary

_SCHEME = "https://"
# IAM user guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed
# roles": such a token needs further actions to be allowed.
_FURTHER_ACTIONS = {
    "https://aws.amazon.com/tags": "sts:TagSession",
    "https://aws.amazon.com/source_identity": "sts:SetSourceIdentity",
}


class Value(NamedTuple):
    """Values of a key.

    Attributes:
        texts: The values.
        claim: Name of the claim or parameter that contains them.
        unknown: Why they cannot be determined.
        is_arn: Whether operators for ARNs apply to them.
    """

    texts: tuple[str, ...]
    claim: str
    unknown: str = ""
    is_arn: bool = False


class Identity(NamedTuple):
    """Bearer of a token, as condition keys.

    Attributes:
        provider: URL of the issuer without its scheme.
        keys: Values by full name in lower case: names of keys are not case-sensitive.
        further_actions: Actions that the policy must allow as well, because of other claims.
    """

    provider: str
    keys: Mapping[str, Value]
    further_actions: tuple[str, ...]

    @property
    def noun(self) -> str:
        """Noun for messages about the thing that has the keys."""
        return "token"

    def look_up(self, key: str) -> Value:
        """Return the values of a key."""
        name = key.lower()
        found = self.keys.get(name)
        if found is not None:
            return found
        # Global keys and keys of STS; all other keys of such a request belong to the provider.
        if of_request(name) and name not in NOT_IN_REQUEST:
            return Value((), "", "this key belongs to the request, not to the token")
        prefix, _, own = name.rpartition(":")
        tokens = vocabulary(self.provider)
        if prefix == self.provider.lower() and tokens.open is None and own not in tokens.keys:
            return Value((), "", "it is not known which further claims of this issuer AWS compares")
        return Value((), "")


def read(claims: Mapping[str, Any]) -> Identity:
    """Return the condition keys for *claims*.

    Raises:
        ConfigError: These are not the claims of an ID token.
    """
    if not isinstance(claims, Mapping):
        _refuse(f"a {type(claims).__name__}, not an object")
    issuer, subject = (_text(claims, name) for name in ("iss", "sub"))
    audiences, party = _texts(claims, "aud"), _texts(claims, "azp") if "azp" in claims else ()
    if not audiences:
        _refuse("no aud")
    provider = issuer.removeprefix(_SCHEME)
    if provider != GOOGLE and (not provider or provider == issuer):
        _refuse(f"iss={quoted(issuer)}, which is not an https:// URL")
    keys = {"sub": Value((subject,), "sub"), "aud": Value(*aws_audience(audiences, party))}
    if provider == GOOGLE:
        keys["aud"] = keys["aud"]._replace(texts=keys["aud"].texts[:1])
        keys["oaud"] = Value(audiences, "aud")
        google = claims.get("google")
        number = google.get("organization_number") if isinstance(google, Mapping) else None
        if number is not None:
            keys["google/organization_number"] = Value((str(number),), "organization_number")
    elif len(keys["aud"].texts) > 1:
        keys["aud"] = Value((), "aud", "AWS compares the one that is in the provider's client list")
    if "amr" in claims:
        keys["amr"] = Value(_texts(claims, "amr"), "amr")
    return Identity(
        provider,
        {f"{provider.lower()}:{name}": value for name, value in keys.items()},
        tuple(action for claim, action in _FURTHER_ACTIONS.items() if claim in claims),
    )


def read_each(claims: Mapping[str, Any]) -> list[Identity]:
    """Return the keys for each audience, if AWS compares one of several; otherwise none."""
    identity = read(claims)
    if not identity.keys[f"{identity.provider.lower()}:aud"].unknown:
        return []
    return [read({**claims, "aud": audience, "azp": []}) for audience in _compared(claims)]


def _compared(claims: Mapping[str, Any]) -> tuple[str, ...]:
    party = _texts(claims, "azp") if "azp" in claims else ()
    return aws_audience(_texts(claims, "aud"), party)[0]


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if not isinstance(found, str) or not found:
        _refuse(f"no {name}" if name not in claims else f"a {name} that is not a string")
    return found


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a claim that is a string or a list of strings (RFC 7519, section 4.1.3)."""
    found = claims.get(name, [])
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, (list, tuple)) or not all(isinstance(t, str) and t for t in listed):
        _refuse(f"a {name} that is neither a string nor a list of strings")
    return tuple(listed)


def _refuse(seen: str) -> NoReturn:
    raise ConfigError(
        f"These are not the claims of an ID token: {seen}.",
        fix="pass a JSON object with iss, sub, aud and, for Google, azp: the decoded middle part "
        "of the token.",
        error_id="config/claims",
    )
