"""Pairs of a trust policy and an ID token's claims, made by chance: likely ones and odd ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

GOOGLE = "accounts.google.com"
CLUSTER = "container.googleapis.com/v1/projects/p/locations/l/clusters/c"
EKS = "oidc.eks.us-east-1.amazonaws.com/id/5B9C0E3F4A7D4E1C8F2A6D7B3C1E0F9A"
GITHUB = "token.actions.githubusercontent.com"
ISSUERS = (GOOGLE, CLUSTER, EKS, GITHUB)
ACCOUNT = "123456789012"
NUMBERS = ("104203741234567890123", "104203741234567890124", "204203741234567890123")
EMAILS = (
    "etl@demo-project.iam.gserviceaccount.com",
    "other@web.example.com.iam.gserviceaccount.com",
)
CLIENT = "32555940559-abc.apps.googleusercontent.com"
AUDIENCES = ("sts.amazonaws.com", "STS.amazonaws.com", "aws:123456789012:etl", NUMBERS[0])
SUBJECTS = ("system:serviceaccount:default:etl", "system:serviceaccount:default:etl-2")
_ODD_TEXTS = ("*", "?", "1*", "*1", "system:*", "", "${aws:username}", "${*}", "x", "etl", "true")
_QUALIFIERS = ("", "", "", "ForAnyValue:", "ForAllValues:")
_STRINGS = ("Equals", "Equals", "Equals", "Like", "EqualsIgnoreCase")
_NUMERICS = ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_ODD_OPERATORS = ("Bool", "ArnLike", "DateLessThan", "IpAddress", "StringContains", "stringEquals")
_ODD_OPERATORS += ("ForSomeValues:StringEquals", "NullIfExists", "NumericLike", "BinaryEquals")
_ODD_OPERATORS += ("DateEqualsIfExists", "NotIpAddress", "BoolIfExists", "DateNotLessThan")
_REQUEST_KEYS = ("aws:SourceIp", "sts:RoleSessionName", "aws:FederatedProvider", "saml:aud")
_REQUEST_KEYS += ("sts:ExternalId", "aws:MultiFactorAuthPresent", "aws:username")
_FLAGS = ("true", "false", True, "False", ["true"], ["false", "FALSE"], ["true", "false"], "no")
_ACTION = "sts:AssumeRoleWithWebIdentity"
_ACTIONS = ("sts:AssumeRole*", "STS:assumerolewithwebidentity", "*", "sts:AssumeRole", "s3:Get*")
_ACTIONS += ("sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdenity", "sts:?ssume*", "sts*")
_ACTIONS += (["sts:TagSession", _ACTION], ["sts:AssumeRole", "sts:TagSession"])  # type: ignore[assignment]


def arn(issuer: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:oidc-provider/{issuer}"


def principal(issuer: str) -> str:
    return issuer if issuer == GOOGLE else arn(issuer)


class Maker:
    """Makes what a seed says, and always the same of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def rarely(self, usual: Any, *odd: Any, of: int = 8) -> Any:
        return usual if self.random.randrange(of) else self.random.choice(odd)

    def pair(self) -> tuple[dict[str, Any], dict[str, Any]]:
        issuer = self.one(*ISSUERS, GOOGLE, CLUSTER)
        claims = self.claims(issuer)
        return self.policy(issuer, claims), claims

    # Tokens.

    def claims(self, issuer: str) -> dict[str, Any]:
        """Return claims of a token as this issuer makes them."""
        if issuer == GOOGLE:
            return self._of_google()
        subject = self.one(*SUBJECTS) if issuer != GITHUB else "repo:acme/etl:ref:refs/heads/main"
        claims: dict[str, Any] = {"iss": f"https://{issuer}", "sub": subject}
        claims["aud"] = self.rarely([self.one(*AUDIENCES)], list(AUDIENCES[:2]))
        if issuer == GITHUB and not self.random.randrange(4):
            claims["azp"] = self.one(*AUDIENCES)
        return claims

    def _of_google(self) -> dict[str, Any]:
        index = self.random.randrange(len(EMAILS))
        number = NUMBERS[index]
        claims: dict[str, Any] = {
            "iss": self.rarely(f"https://{GOOGLE}", GOOGLE),
            "aud": self.one(*AUDIENCES),
            "sub": number,
            "azp": self.one(number, number, EMAILS[index], EMAILS[index], CLIENT),
        }
        if not self.random.randrange(8):
            del claims["azp"]
        if not self.random.randrange(4):
            claims["google"] = {"organization_number": self.random.randrange(1, 5)}
        return claims

    # Policies.

    def policy(self, issuer: str, claims: dict[str, Any]) -> dict[str, Any]:
        count = self.rarely(1, 2, 3, of=3)
        made = {"Statement": [self.statement(issuer, claims) for _ in range(count)]}
        version = self.rarely("2012-10-17", "2008-10-17", None)
        return made if version is None else {"Version": version, **made}

    def statement(self, issuer: str, claims: dict[str, Any]) -> dict[str, Any]:
        own = principal(issuer)
        odd = ("*", {"Federated": f"https://{issuer}"}, {"Federated": arn(f"https://{issuer}")})
        odd += ({"Federated": f"{own}/"}, {"Federated": own.upper()}, {"Federated": f"{own[:-1]}*"})
        odd += ({"Federated": [own, GOOGLE]}, {"Federated": arn(issuer, "210987654321")})
        odd += ({"AWS": ACCOUNT}, {"Federated": arn("p.svc.id.goog")}, {"Federated": issuer})
        odd += ({"Federated": "graph.facebook.com"}, {"AWS": ACCOUNT, "Federated": own})
        odd += ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/*", "Federated": own}, {"AWS": "*"})
        odd += ({"AWS": ["12345"], "Federated": own}, {"Service": "*", "Federated": own})
        return {
            "Effect": self.rarely("Allow", "Deny", of=5),
            "Principal": self.rarely({"Federated": own}, *odd),
            self.rarely("Action", "NotAction", of=12): self.rarely(_ACTION, *_ACTIONS),
            "Condition": self.condition(issuer, claims),
            **self.rarely({}, {"Sid": self.one("", "a", "b")}),
        }

    def condition(self, issuer: str, claims: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _ in range(self.random.randrange(4)):
            operator = self.operator()
            key = self.key(issuer)
            value: Any = self.rarely(*_FLAGS) if operator == "Null" else None
            made.setdefault(operator, {})[key] = self.values(claims) if value is None else value
        return made

    def operator(self) -> str:
        negated, suffix = self.rarely("", "Not", of=5), self.rarely("", "IfExists")
        string = f"{self.one(*_QUALIFIERS)}String{negated}{self.one(*_STRINGS)}{suffix}"
        numeric = f"Numeric{self.one(*_NUMERICS)}"
        return str(self.rarely(string, numeric, "Null", self.one(*_ODD_OPERATORS), of=5))

    def key(self, issuer: str) -> str:
        names = ("aud", "oaud", "sub") if issuer == GOOGLE else ("aud", "sub")
        name = self.rarely(self.one(*names), "google/organization_number", "email", "amr", "azp")
        prefix = self.rarely(
            issuer, f"https://{issuer}", f"{issuer}/", issuer.upper(), self.one(*ISSUERS), of=12
        )
        return str(self.rarely(f"{prefix}:{name}", *_REQUEST_KEYS, name, of=16))

    def values(self, claims: dict[str, Any]) -> Any:
        count = self.rarely(1, 0, 2, 3, of=4)
        found = [self.value(claims) for _ in range(count)]
        return found[0] if count == 1 and self.random.randrange(2) else found

    def value(self, claims: dict[str, Any]) -> Any:
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        likely: Sequence[str] = [claims["sub"], *audiences, claims.get("azp", claims["sub"])]
        other = self.one(*NUMBERS, *EMAILS, CLIENT, *AUDIENCES, *SUBJECTS, "jane@example.com", 3)
        text = self.rarely(self.one(*likely), other, self.one(*_ODD_TEXTS), of=3)
        return self.rarely(text, self._mangled(str(text)))

    def _mangled(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        return str(
            self.one(text.upper(), f"{text} ", f"{text[:at]}*", f"*{text[at:]}", f"{text[:at]}?")
        )
