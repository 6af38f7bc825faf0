"""Trust policies that admit exactly who is named, for exactly one audience.

Sources: IAM user guide, "IAM and AWS STS condition context keys" (its example for tokens that have
`azp` pins `:aud`, `:oaud` and `:sub`) and "Create an OpenID Connect (OIDC) identity provider in
IAM"; Kubernetes, "Managing Service Accounts" (the subject of a projected token).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from gcp_aws_bridge.exceptions import ConfigError, quoted

from .authorized_party import EMAIL, GET_NUMBER, NUMBER, kind_of
from .claims import read
from .document import ACTION, SIZE_CEILING, SIZE_QUOTA, VERSION, size
from .names import ACCOUNT_ID, PARTITION, SUBJECT, SUBJECT_WANTED, is_name
from .principals import GOOGLE

# IAM takes a URL of https:// with neither port nor query.
_ISSUER = re.compile(r"https://[a-z0-9.-]+(/[\w.~-]+)*", re.ASCII)


def build(
    *,
    audience: str,
    service_accounts: Sequence[str] = (),
    key_file_emails: Mapping[str, str] = MappingProxyType({}),
    issuer: str | None = None,
    subjects: Sequence[str] = (),
    account_id: str | None = None,
    partition: str = "aws",
) -> dict[str, Any]:
    """Write the trust policy for Google service accounts, or for a cluster's own OIDC issuer.

    Each service account has a statement of its own, and `:sub` pins its number in each: an e-mail
    can be freed and taken again, a number cannot.

    Args:
        audience: What ID tokens are asked for, 1 to 255 printable characters; one of the role's
            own (`aws:123456789012:etl`) is better than a shared one.
        service_accounts: Unique ids, 21 digits each, of accounts whose tokens come from the
            metadata server or from the IAM Credentials API (impersonation).
        key_file_emails: Unique ids and e-mails of accounts whose tokens come from a key file. An
            account that is in *service_accounts* as well is admitted with tokens of both kinds.
        issuer: A cluster's issuer, an `https://` URL, if there are no service accounts.
        subjects: The issuer's `system:serviceaccount:NAMESPACE:NAME`.
        account_id: The AWS account that has an IAM OIDC provider for the issuer, 12 digits.
        partition: The partition of that account: `aws`, `aws-cn`, `aws-us-gov`, ...

    Raises:
        ConfigError: An argument is not of this form, or the policy is over the quota of 2,048
            characters.
    """
    _check_text("audience", audience, 255)
    accounts, names = _listed(service_accounts), _listed(subjects)
    if not isinstance(key_file_emails, Mapping):
        refuse(f"{quoted(key_file_emails)} is not a mapping.", "map numbers to e-mails.")
    parties = {number: [_number(number)] for number in accounts}
    for number, email in key_file_emails.items():
        parties.setdefault(_number(number), []).append(_email(email))
    if bool(parties) is bool(names) or bool(issuer) is not bool(names):
        refuse(
            "A trust policy names Google service accounts, or an issuer and its subjects; here are "
            f"{len(parties)} service accounts, {'an' if issuer else 'no'} issuer and {len(names)} "
            "subjects.",
            "give one or the other.",
        )
    if parties:
        return _checked([_google(each, audience, number) for number, each in parties.items()])
    for subject in names:
        if not is_name(SUBJECT, subject):
            refuse(
                f"{quoted(subject)} is not the subject of a Kubernetes service account.",
                f"give {SUBJECT_WANTED}, of lower-case letters, digits and -.",
            )
    return _checked([_oidc(issuer, audience, _one_or_many(names), account_id, partition)])


def statement_for(
    claims: Mapping[str, Any], *, account_id: str | None = None, partition: str = "aws"
) -> dict[str, Any]:
    """Write the statement that admits the bearer of this token, and pins all that can be pinned.

    Args:
        claims: Of the ID token: `iss`, `sub`, `aud` and, where it has one, `azp`.
        account_id: The role's account, needed where the issuer is not Google.
        partition: Of that account.

    Raises:
        ConfigError: They are not the claims of an ID token, or hold what a policy cannot.
    """
    identity = read(claims)
    values = {key.rpartition(":")[2]: value for key, value in identity.keys.items()}
    if values["aud"].unknown:
        refuse(f"The token has several audiences: {values['aud'].unknown}.", "give it one.")
    pins = {name: values[name].texts[0] for name in ("aud", "oaud", "sub") if name in values}
    for name, pin in pins.items():
        _check_text(f"token's {name}", pin, SIZE_QUOTA)
    if identity.provider == GOOGLE:
        return _google([pins["aud"]], pins["oaud"], pins["sub"])
    return _oidc(claims["iss"], pins["aud"], pins["sub"], account_id, partition)


def policy_of(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """The policy of these statements."""
    return {"Version": VERSION, "Statement": [*statements]}


def _google(parties: list[str], audience: str, subject: str) -> dict[str, Any]:
    pins = {"aud": _one_or_many(parties), "oaud": audience, "sub": subject}
    return _statement(GOOGLE, {f"{GOOGLE}:{name}": value for name, value in pins.items()})


def _oidc(
    issuer: str | None, audience: str, subject: object, account_id: str | None, partition: str
) -> dict[str, Any]:
    if not isinstance(issuer, str) or not _ISSUER.fullmatch(issuer):
        refuse(
            f"{quoted(issuer)} is not the URL of an OIDC issuer.",
            "give https://HOST/PATH with no port, query or final slash: `gcloud container clusters "
            "describe CLUSTER --format='value(selfLink)'` names the cluster that it is made of.",
        )
    url = issuer.partition("://")[2]
    if url == GOOGLE:
        refuse(
            "Google is no issuer with a provider of its own: AWS trusts it without one.",
            "name service accounts, by their numbers.",
        )
    if not is_name(ACCOUNT_ID, account_id):
        refuse(
            f"The AWS account is {quoted(account_id)}; it has the provider that the policy names.",
            "give its 12 digits.",
        )
    if not is_name(PARTITION, partition):
        refuse(f"The partition is {quoted(partition)}.", "give aws, aws-cn or aws-us-gov.")
    return _statement(
        f"arn:{partition}:iam::{account_id}:oidc-provider/{url}",
        {f"{url}:aud": audience, f"{url}:sub": subject},
    )


def _statement(federated: str, pins: Mapping[str, object]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": federated},
        "Action": ACTION,
        "Condition": {"StringEquals": {**pins}},
    }


def _checked(statements: list[dict[str, Any]]) -> dict[str, Any]:
    policy = policy_of(*statements)
    if size(policy) > SIZE_QUOTA:
        refuse(
            f"The policy has {size(policy)} characters; AWS takes {SIZE_QUOTA:,} (on request up to "
            f"{SIZE_CEILING:,}).",
            "make a further role for some of them; it may have the same permissions.",
        )
    return policy


def _listed(names: Sequence[str]) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        refuse(f"{quoted(names)} is not a list of texts.", "give a list, even of one.")
    return list(dict.fromkeys(names))  # each once


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _number(account: object) -> str:
    if not isinstance(account, str) or kind_of(account) != NUMBER:
        refuse(
            f"{quoted(account)} is not the number of a service account, which :sub pins.",
            f"give its 21 digits: {GET_NUMBER}. For tokens of a key file, give the key file or its "
            "account's e-mail as well.",
        )
    return account


def _email(email: object) -> str:
    if not isinstance(email, str) or kind_of(email) != EMAIL:
        refuse(
            f"{quoted(email)} is not the e-mail of a service account, which a key file names.",
            "give the file's client_email, such as etl@my-project.iam.gserviceaccount.com.",
        )
    return email


def _check_text(what: str, text: str, most: int) -> None:
    printable = isinstance(text, str) and text.strip() and text.isprintable()
    # IAM user guide, "IAM and AWS STS quotas": the characters of a policy document.
    if not printable or max(text) > "\xff" or len(text) > most:
        refuse(
            f"The {what} is {quoted(text)}; a policy takes 1 to {most} printable characters, up to "
            "U+00FF.",
            "give another.",
        )
    if "${" in text:
        refuse(
            f"The {what} is {quoted(text)}; IAM takes ${{…}} for a policy variable.",
            "give one without it.",
        )


def refuse(problem: str, fix: str) -> NoReturn:
    """Say what cannot be in a policy that is written."""
    raise ConfigError(problem, fix=fix, error_id="config/trust-policy-value")
