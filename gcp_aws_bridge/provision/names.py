"""Rules for names in the clouds, which are checked before a name is used in a script.

The rules are stricter than the clouds only if a name could have a meaning for a shell, for
Terraform or in an IAM policy; a comment says so. All values in scripts are quoted as well.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy.names import ACCOUNT_ID, LABEL, PROJECT, PROJECT_IN_EMAIL

__all__ = ["RULES", "Rule", "checked"]

_REGION = r"[a-z]+-[a-z]+\d{1,2}"  # Compute Engine, "Regions and zones"
_POOL = r"(?!gcp-)[a-z0-9-]{4,32}"
_POOL_WANTED = "4 to 32 of a-z, 0-9 and -; gcp- is reserved"


class Rule(NamedTuple):
    """Rule for one kind of name.

    Attributes:
        pattern: Regular expression for the whole name, in ASCII.
        longest: Maximum length in characters.
        wanted: Description of the pattern.
        example: A valid name.
    """

    pattern: str
    longest: int
    wanted: str
    example: str


def _rfc1035(longest: int, example: str) -> Rule:
    wanted = f"up to {longest} of a-z, 0-9 and -, a letter first, no - last"
    return Rule(r"[a-z]([a-z0-9-]*[a-z0-9])?", longest, wanted, example)


RULES = {
    "project": Rule(
        PROJECT,
        284,
        "6 to 30 of a-z, 0-9 and -, a letter first, no - last; with its domain if it is "
        "domain-scoped (example.com:my-project)",
        "my-project",
    ),
    # GKE API, projects.locations.clusters: "lowercase letters, numbers, and hyphens. Maximum 40
    # characters. Starts with a letter. Ends with a number or a letter."
    "cluster": _rfc1035(40, "prod"),
    "location": Rule(rf"{_REGION}(-[a-z])?", 40, "a Google Cloud region or zone", "europe-west1"),
    "google-region": Rule(_REGION, 40, "a Google Cloud region", "europe-west1"),
    "zone": Rule(rf"{_REGION}-[a-z]", 40, "a Google Cloud zone", "europe-west1-b"),
    "build-location": Rule(
        rf"{_REGION}|global", 40, "the region of the trigger, or global", "europe-west1"
    ),
    "namespace": Rule(LABEL, 63, "an RFC 1123 label: up to 63 of a-z, 0-9 and -", "data"),
    "ksa": Rule(
        rf"{LABEL}(\.{LABEL})*", 253, "an RFC 1123 subdomain: a-z, 0-9, - and .", "etl-runner"
    ),
    # IAM API, projects.serviceAccounts.create: account ids of 6 to 30. The default accounts of
    # Compute Engine and App Engine are shared by the whole project, and not accepted.
    "gsa": Rule(
        rf"[a-z]([a-z0-9-]{{4,28}})[a-z0-9]@{PROJECT_IN_EMAIL}\.iam\.gserviceaccount\.com",
        340,
        "NAME@PROJECT.iam.gserviceaccount.com, NAME 6 to 30 of a-z, 0-9 and -, a letter first",
        "etl-runner@my-project.iam.gserviceaccount.com",
    ),
    # Cloud Run and Cloud Run functions: the shortest limit is 49.
    "service": _rfc1035(49, "reports"),
    # Compute Engine API, instances.insert, and Notebooks API, projects.locations.instances.create.
    "instance": _rfc1035(63, "batch"),
    # Dataproc API, projects.regions.clusters: clusterName, a letter and up to 51 characters.
    "dataproc-cluster": _rfc1035(52, "spark"),
    # Composer API, projects.locations.environments: name.
    "environment": _rfc1035(64, "airflow"),
    # Cloud Build API, projects.locations.triggers: name.
    "trigger": Rule(
        r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
        64,
        "up to 64 of letters, digits and -, no - first or last",
        "nightly",
    ),
    "aws-account": Rule(ACCOUNT_ID, 12, "12 digits", "123456789012"),
    # IAM API reference, CreateRole: RoleName 1 to 64 of [\w+=,.@-]; the option may contain the
    # role's path as well, as in an ARN.
    "role": Rule(
        r"([\w+=,.@-]+/)*[\w+=,.@-]{1,64}",
        574,
        "1 to 64 of letters, digits and _+=,.@-, optionally with a path (service-role/etl)",
        "etl",
    ),
    "role-name": Rule(r"[\w+=,.@-]{1,64}", 64, "1 to 64 of letters, digits and _+=,.@-", "etl"),
    # IAM API reference, CreateRole: Path 1 to 512 of `/`, or of ! to ~ between two of them; here
    # without quotes.
    "role-path": Rule(r"/([\w+=,.@-]+/)*", 512, "/, or /NAME/", "/team/"),
    # AWS General Reference, "Service endpoints"; the partition `aws`, whose STS Google uses.
    "region": Rule(
        r"(?!cn-|us-gov-|us-iso)[a-z]{2}-[a-z]+-\d{1,2}",
        16,
        "an AWS region outside of China and GovCloud",
        "eu-west-1",
    ),
    # EKS API reference, CreateCluster: name.
    "eks-cluster": Rule(
        r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}",
        100,
        "1 to 100 of letters, digits, - and _, a letter or a digit first",
        "prod",
    ),
    # IAM API, projects.locations.workloadIdentityPools.create and providers.create: ids.
    "pool": Rule(_POOL, 32, _POOL_WANTED, "aws-workloads"),
    "provider": Rule(_POOL, 32, _POOL_WANTED, "aws-etl"),
    "project-number": Rule(r"[1-9]\d{5,18}", 19, "a project's number", "123456789012"),
    # IAM API, projects.roles: predefined roles, and custom roles of projects and organizations.
    "grant": Rule(
        rf"((projects/{PROJECT}|organizations/\d+)/)?roles/[\w.]{{3,64}}",
        128,
        "roles/NAME, projects/PROJECT/roles/NAME or organizations/NUMBER/roles/NAME",
        "roles/pubsub.publisher",
    ),
    # IAM API reference, CreateOpenIDConnectProvider: client ids of 1 to 255. STS and Google accept
    # more characters; these have no meaning for a shell, unlike `*`, `?` and `${` in a policy.
    "audience": Rule(
        r"[\w:/.+=,@~-]{1,255}", 255, "up to 255 of letters, digits and :/.+=,@~_-", "aws:1234:etl"
    ),
    # IAM API reference, AttachRolePolicy: PolicyArn; Policy: Path of ! to ~, here without quotes.
    "policy-arn": Rule(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/([\w+=,.@/-]+/)?[\w+=,.@-]{1,128}",
        2048,
        "the ARN of a managed policy",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ),
}


def checked(name: str, value: str, rule: str = "") -> str:
    """Return *value* if it is a valid name.

    Args:
        name: Name of the option.
        value: Value of the option.
        rule: Key in `RULES`, if it differs from *name*.

    Raises:
        ConfigError: The value is not valid.
    """
    pattern, longest, wanted, example = RULES[rule or name]
    whole = re.fullmatch(pattern, value, re.ASCII) if len(value) <= longest else None
    if whole is None:
        raise ConfigError(
            f"--{name} is {quoted(value)}; it must be {wanted}.",
            fix=f"use a value such as {example}.",
            error_id="config/setup-name",
        )
    return value
