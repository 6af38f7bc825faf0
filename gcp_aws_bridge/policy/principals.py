"""`Federated` principals, and the names of OIDC issuers in them.

Sources: IAM user guide, "AWS JSON policy elements: Principal" ("You cannot use a wildcard to match
part of a principal name or ARN"), "Access Analyzer policy check reference" ("Invalid federated
principal syntax in role trust policy": a domain name or an ARN), "Create a role for OpenID Connect
federation" (the four built-in providers), "Create an OpenID Connect (OIDC) identity
provider in IAM" (the name in the ARN is the URL without its scheme); GKE, "Workload Identity" and
EKS, "IAM roles for service accounts" (the URLs of clusters' issuers).
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "AMAZON",
    "BUILT_IN",
    "COGNITO",
    "FACEBOOK",
    "GOOGLE",
    "Federated",
    "federated",
    "is_cluster",
]

GOOGLE = "accounts.google.com"
COGNITO, FACEBOOK = "cognito-identity.amazonaws.com", "graph.facebook.com"
AMAZON = "www.amazon.com"
BUILT_IN = (GOOGLE, COGNITO, FACEBOOK, AMAZON)

_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(oidc|saml)-provider/(.+)", re.ASCII | re.DOTALL)
_HOST = re.compile(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*(:\d+)?", re.ASCII | re.IGNORECASE)
_GKE_HOST = "container.googleapis.com"
_GKE_FORM = f"{_GKE_HOST}/v1/projects/PROJECT/locations/LOCATION/clusters/CLUSTER"
_GKE = re.compile(
    r"container\.googleapis\.com/v1/projects/[a-z0-9.:-]+/(locations|zones)/[a-z0-9-]+"
    r"/clusters/[a-z0-9-]+",
    re.ASCII,
)
_EKS_HOST = re.compile(r"oidc[.-]eks\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)", re.ASCII)
# As in all examples of the EKS user guide: the id has no lower-case letters.
_EKS = re.compile(rf"({_EKS_HOST.pattern})/id/[0-9A-Z]+", re.ASCII)


class Federated(NamedTuple):
    """Parsed `Federated` principal.

    Attributes:
        issuer: URL of an OIDC issuer without its scheme; empty for other principals.
        account: Account of its IAM OIDC provider; empty for the four built-in providers.
        problem: Why it can never match a token; empty if it can.
        malformed: Whether IAM rejects the whole policy because of it.
        instead: The principal that was probably meant; empty if it is not known.
    """

    issuer: str
    account: str = ""
    problem: str = ""
    malformed: bool = False
    instead: str = ""


def federated(name: str) -> Federated:
    """Parse the principal `{"Federated": name}`."""
    if name in BUILT_IN:
        return Federated(name)
    if name == "*":  # IAM does not document whether this is allowed
        return Federated("")
    if "*" in name or "?" in name:
        return Federated("", problem="IAM allows no wildcard inside a principal", malformed=True)
    found = _ARN.fullmatch(name)
    if found is None:
        return Federated("", "", _problem_of_host(name), malformed=True, instead=_meant(name))
    account, kind, issuer = found.groups()
    if kind == "saml":
        return Federated("", account, "the users of a SAML provider have no ID tokens")
    problem = _problem_of_issuer(issuer)
    meant = _meant(issuer) if problem else ""
    arn = f"{name.removesuffix(issuer)}{meant}" if meant and meant not in BUILT_IN else meant
    return Federated(issuer, account, problem, instead=arn)


def is_cluster(issuer: str) -> bool:
    """Return whether a Kubernetes cluster of GKE or EKS signs the tokens of this issuer."""
    return bool(_GKE.fullmatch(issuer) or _EKS.fullmatch(issuer))


def _problem_of_host(name: str) -> str:
    if name.startswith("arn:"):
        return (
            "this is not the ARN of an IAM OIDC or SAML provider, which has an account of 12 digits"
        )
    if "://" in name:
        return "a principal is not a URL"
    if name.lower() in BUILT_IN:
        return "the names of principals are case-sensitive"
    return f"a principal is the ARN of a provider, or one of {', '.join(BUILT_IN)}"


def _problem_of_issuer(issuer: str) -> str:
    host = issuer.partition("/")[0]
    if "://" in issuer:
        return "the ARN of an IAM OIDC provider contains the issuer's URL without its scheme"
    if host.endswith(".svc.id.goog") or "/workloadidentitypools/" in issuer.lower():
        return "a workload identity pool issues no tokens that AWS could verify; a cluster does"
    if not _HOST.fullmatch(host):
        return f"{host} is not a host name, so this is not an issuer"
    if host.lower() == _GKE_HOST and not _GKE.fullmatch(issuer):
        return f"the issuer of a GKE cluster is {_GKE_FORM}, in lower case, with no final slash"
    if _EKS_HOST.fullmatch(host.lower()) and not _EKS.fullmatch(issuer):
        return "the issuer of an EKS cluster is oidc.eks.REGION.amazonaws.com/id/ID, ID in capitals"
    if host.lower() == GOOGLE and issuer != GOOGLE:
        return f"Google's issuer is {GOOGLE}"
    return ""


def _meant(name: str) -> str:
    """Return *name* without scheme, final slash and upper case, if that is a known issuer."""
    plain = name.rpartition("://")[2].rstrip("/")
    host, slash, path = plain.partition("/")
    with_id = f"{host.lower()}/id/{path.rpartition('/')[2].upper()}"
    for candidate in (f"{host.lower()}{slash}{path}", plain.lower(), with_id):
        if candidate in BUILT_IN or is_cluster(candidate):
            return candidate
    named = federated(plain.lower()) if plain.lower() != name else Federated("")
    return plain.lower() if is_cluster(named.issuer) and not named.problem else ""
