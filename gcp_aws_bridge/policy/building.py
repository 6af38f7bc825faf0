"""Writer of trust policies that admit exactly the named identities, for exactly one audience.

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

# IAM accepts https:// URLs without port and query.
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

    Each service account has its own statement, in which `:sub` pins its number: an e-mail address
    can be reused after an account was deleted, a number cannot.

    Args:
        audience: Audience of the ID tokens, 1 to 255 printable characters; a separate audience for
            the role (`aws:123456789012:etl`) is better than a shared one.
        service_accounts: Unique ids, 21 digits each, of accounts whose tokens come from the
            metadata server or from the IAM Credentials API (impersonation).
        key_file_emails: Unique ids and e-mail addresses of accounts whose tokens come from a key
            file. Accounts that are in *service_accounts* as well are admitted with both kinds.
        issuer: Issuer of a cluster, an `https://` URL, if there are no service accounts.
        subjects: Subjects of the issuer, `system:serviceaccount:NAMESPACE:NAME`.
        account_id: AWS account with an IAM OIDC provider for the issuer, 12 digits.
        partition: Partition of that account: `aws`, `aws-cn`, `aws-us-gov`, ...

    Raises:
        ConfigError: An argument is not valid, or the policy exceeds the quota of 2,048 characters.
    """
    check_text("audience", audience, 255)
    accounts, names = _listed(service_accounts), _listed(subjects)
    if not isinstance(key_file_emails, Mapping):
        refuse(f"{quoted(key_file_emails)} is not a mapping.", "map numbers to e-mails.")
    parties = {number: [_number(number)] for number in accounts}
    for number, email in key_file_emails.items():
        parties.setdefault(_number(number), []).append(_email(email))
    if bool(parties) is bool(names) or bool(issuer) is not bool(names):
        refuse(
            "A trust policy names service accounts, or an issuer and its subjects; there are "
            f"{len(parties)} service accounts, {'an' if issuer else 'no'} issuer and {len(names)} "
            "subjects.",
            "pass either service accounts, or an issuer and subjects.",
        )
    if parties:
        return checked([_google(each, audience, number) for number, each in parties.items()])
    for subject in names:
        if not is_name(SUBJECT, subject):
            refuse(
                f"{quoted(subject)} is not the subject of a Kubernetes service account.",
                f"pass {SUBJECT_WANTED}, in lower-case letters, digits and -.",
            )
    return checked([_oidc(issuer, audience, one_or_many(names), account_id, partition)])


def statement_for(
    claims: Mapping[str, Any], *, account_id: str | None = None, partition: str = "aws"
) -> dict[str, Any]:
    """Write the statement that admits only the bearer of this token.

    Args:
        claims: Claims of the ID token: `iss`, `sub`, `aud` and, if present, `azp`.
        account_id: Account of the role, needed if the issuer is not Google.
        partition: Partition of that account.

    Raises:
        ConfigError: These are not the claims of an ID token, or a policy cannot contain them.
    """
    identity = read(claims)
    values = {key.rpartition(":")[2]: value for key, value in identity.keys.items()}
    if values["aud"].unknown:
        refuse(
            f"The token has several audiences: {values['aud'].unknown}.",
            "request a token with one.",
        )
    pins = {name: values[name].texts[0] for name in ("aud", "oaud", "sub") if name in values}
    for name, pin in pins.items():
        check_text(f"token's {name}", pin, SIZE_QUOTA)
    if identity.provider == GOOGLE:
        return _google([pins["aud"]], pins["oaud"], pins["sub"])
    return _oidc(claims["iss"], pins["aud"], pins["sub"], account_id, partition)


def policy_of(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy with these statements."""
    return {"Version": VERSION, "Statement": [*statements]}


def _google(parties: list[str], audience: str, subject: str) -> dict[str, Any]:
    pins = {"aud": one_or_many(parties), "oaud": audience, "sub": subject}
    return _statement(GOOGLE, {f"{GOOGLE}:{name}": value for name, value in pins.items()})


def _oidc(
    issuer: str | None, audience: str, subject: object, account_id: str | None, partition: str
) -> dict[str, Any]:
    if not isinstance(issuer, str) or not _ISSUER.fullmatch(issuer):
        refuse(
            f"{quoted(issuer)} is not the URL of an OIDC issuer.",
            "pass https://HOST/PATH without port, query or final slash: `gcloud container clusters "
            "describe CLUSTER --format='value(selfLink)'` prints the parts of it.",
        )
    url = issuer.partition("://")[2]
    if url == GOOGLE:
        refuse(
            "AWS trusts Google without an IAM OIDC provider.",
            "pass the numbers of service accounts.",
        )
    if not is_name(ACCOUNT_ID, account_id):
        refuse(
            f"The AWS account is {quoted(account_id)}, but the ARN of the provider contains it.",
            "pass its 12 digits.",
        )
    if not is_name(PARTITION, partition):
        refuse(f"The partition is {quoted(partition)}.", "pass aws, aws-cn or aws-us-gov.")
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


def checked(statements: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the policy with these statements, which does not exceed the quota."""
    policy = policy_of(*statements)
    if size(policy) > SIZE_QUOTA:
        refuse(
            f"The policy has {size(policy)} characters; AWS accepts {SIZE_QUOTA:,} (on request "
            f"up to {SIZE_CEILING:,}).",
            "create another role for some of them; it may have the same permissions.",
        )
    return policy


def _listed(names: Sequence[str]) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        refuse(f"{quoted(names)} is not a list of strings.", "pass a list, even of one string.")
    return list(dict.fromkeys(names))  # without duplicates


def one_or_many(values: list[str]) -> str | list[str]:
    """Return a single value without its list."""
    return values[0] if len(values) == 1 else values


def _number(account: object) -> str:
    if not isinstance(account, str) or kind_of(account) != NUMBER:
        refuse(
            f"{quoted(account)} is not the number of a service account, which :sub pins.",
            f"pass its 21 digits: {GET_NUMBER}. For tokens of a key file, pass the key file or the "
            "e-mail address of its account as well.",
        )
    return account


def _email(email: object) -> str:
    if not isinstance(email, str) or kind_of(email) != EMAIL:
        refuse(
            f"{quoted(email)} is not the e-mail of a service account, which a key file names.",
            "pass client_email of the file, such as etl@my-project.iam.gserviceaccount.com.",
        )
    return email


def check_text(what: str, text: str, most: int) -> None:
    """Check that a policy can contain *text* literally."""
    printable = isinstance(text, str) and text.strip() and text.isprintable()
    # IAM user guide, "IAM and AWS STS quotas": the characters of a policy document.
    if not printable or max(text) > "\xff" or len(text) > most:
        refuse(
            f"The {what} is {quoted(text)}; a policy accepts 1 to {most} printable characters, "
            "up to U+00FF.",
            "use another value.",
        )
    if "${" in text:
        refuse(
            f"The {what} is {quoted(text)}; IAM would expand ${{…}} as a policy variable.",
            "use a value without it.",
        )


def refuse(problem: str, fix: str) -> NoReturn:
    """Raise the error for a value that a policy cannot contain."""
    raise ConfigError(problem, fix=fix, error_id="config/trust-policy-value")
