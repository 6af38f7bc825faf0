"""Names in the clouds, as regular expressions for the whole name, in ASCII.

The source is named at each rule. `provision/names` and the trust policies share them.
"""

from __future__ import annotations

import re
import shlex

__all__ = [
    "ACCOUNT_EMAIL",
    "ACCOUNT_ID",
    "ACCOUNT_NUMBER",
    "CLIENT_ID",
    "EXTERNAL_ID",
    "IAM_PRINCIPAL",
    "LABEL",
    "PARTITION",
    "PROJECT",
    "PROJECT_ID",
    "PROJECT_IN_EMAIL",
    "ROLE_ARN",
    "SESSION_NAME",
    "SUBJECT",
    "SUBJECT_WANTED",
    "email_of",
    "is_name",
    "project_of",
    "quoted_project",
]

# Google documents 21 digits (IAM, "Service accounts overview": unique ID). Shorter numbers are
# something else: a project's number has 12 digits.
ACCOUNT_NUMBER = r"\d{18,24}"
# IAM, "Types of service accounts": user-managed accounts end with
# `PROJECT.iam.gserviceaccount.com`, default accounts with `developer.` and
# `appspot.gserviceaccount.com`, Google-managed accounts with others.
ACCOUNT_EMAIL = r"[a-z0-9][a-z0-9.-]*@[a-z0-9.-]+\.gserviceaccount\.com"
# Google Identity, "Setting up OAuth 2.0": the id of an OAuth client.
CLIENT_ID = r"[\w-]+\.apps\.googleusercontent\.com"

# Resource Manager, "Creating and managing projects": 6 to 30 of a-z 0-9 and hyphens, a letter
# first, no hyphen last.
PROJECT_ID = r"[a-z][a-z0-9-]{4,28}[a-z0-9]"
_DOMAIN = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
# App Engine, "Domain-scoped projects": `example.com:my-project`. The e-mail addresses of its
# accounts have the parts in reverse order: `NAME@my-project.example.com.iam.gserviceaccount.com`.
PROJECT = rf"({_DOMAIN}:)?{PROJECT_ID}"
PROJECT_IN_EMAIL = rf"{PROJECT_ID}(\.{_DOMAIN})?"
# IAM, "Types of service accounts": user-managed accounts and App Engine's contain the project.
_PROJECT_OF = re.compile(
    r"[^@]+@([a-z][a-z0-9-]+)(?:\.([a-z0-9.-]+))?\.iam\.gserviceaccount\.com"
    r"|([a-z][a-z0-9-]+)@appspot\.gserviceaccount\.com"
)

# RFC 1123, as Kubernetes names namespaces (63 characters) and service accounts (253).
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# Kubernetes, "Managing Service Accounts": the subject of a projected token.
SUBJECT = rf"system:serviceaccount:{LABEL}:(?=.{{1,253}}$){LABEL}(\.{LABEL})*"
SUBJECT_WANTED = "system:serviceaccount:NAMESPACE:NAME"

ACCOUNT_ID = r"\d{12}"
# AWS General Reference, "Amazon Resource Names": aws, aws-cn, aws-us-gov, aws-eusc, aws-iso-b, ...
PARTITION = r"aws(-[a-z]+){0,2}"
# IAM user guide, "AWS JSON policy elements: Principal": an account, a user, a role, or a session of
# a role or of a federated user; or all of them; no wildcard inside a name.
IAM_PRINCIPAL = (
    rf"\*|{ACCOUNT_ID}|arn:aws[a-z-]*:(iam::{ACCOUNT_ID}:(root|(role|user)/[\w+=,.@/-]+)"
    rf"|sts::{ACCOUNT_ID}:(assumed-role/[\w+=,.@-]+|federated-user)/[\w+=,.@-]+)"
)

# IAM API reference, Role: RoleName 1 to 64 of [\w+=,.@-], Path of ! to ~.
ROLE_ARN = rf"arn:aws[a-z-]*:iam::{ACCOUNT_ID}:role/([!-~]+/)?[\w+=,.@-]{{1,64}}"
# AWS STS API reference, AssumeRole: ExternalId; RoleSessionName and SourceIdentity.
EXTERNAL_ID = r"[\w+=,.@:/-]{2,1224}"
SESSION_NAME = r"[\w+=,.@-]{2,64}"


def is_name(rule: str, text: object) -> bool:
    """Return whether the whole *text* matches *rule*, a pattern of this module."""
    return isinstance(text, str) and re.fullmatch(rule, text, re.ASCII) is not None


def email_of(name: str, project: str) -> str:
    """Return the e-mail address of a project's service account."""
    domain, _, own = project.rpartition(":")
    return f"{name}@{own}{'.' * bool(domain)}{domain}.iam.gserviceaccount.com"


def project_of(email: str) -> str:
    """Return the project in the e-mail address of a service account; empty if there is none."""
    found = _PROJECT_OF.fullmatch(email)
    if found is None:
        return ""
    project, domain, app = found.groups()
    return app or (f"{domain}:{project}" if domain else project)


def quoted_project(email: str, otherwise: str = "PROJECT") -> str:
    """Return the project of a service account, quoted for a shell.

    Args:
        email: E-mail address of the service account.
        otherwise: Value if the e-mail address does not contain the project.
    """
    return shlex.quote(project_of(email) or otherwise)
