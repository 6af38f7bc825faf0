"""What the clouds take for a name: checked before any of them gets into a script.

Stricter than the clouds only where a name could mean something to a shell, to Terraform or to an
IAM policy; said at the rule. All that is written is quoted as well.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy.names import ACCOUNT_ID, LABEL, PROJECT, PROJECT_IN_EMAIL

__all__ = ["RULES", "Rule", "checked"]

_POOL = r"(?!gcp-)[a-z0-9-]{4,32}"
_POOL_WANTED = "4 to 32 of a-z, 0-9 and -; gcp- is Google's own"


class Rule(NamedTuple):
    """What one kind of name must be.

    Attributes:
        pattern: All of it, in ASCII.
        longest: In characters.
        wanted: The pattern in words.
        example: One that is taken.
    """

    pattern: str
    longest: int
    wanted: str
    example: str


RULES = {
    "project": Rule(
        PROJECT,
        284,
        "6 to 30 of a-z, 0-9 and -, a letter first, no - last, after the domain of a "
        "domain-scoped one (example.com:my-project)",
        "my-project",
    ),
    # GKE API, projects.locations.clusters: "lowercase letters, numbers, and hyphens. Maximum 40
    # characters. Starts with a letter. Ends with a number or a letter."
    "cluster": Rule(
        r"[a-z]([a-z0-9-]*[a-z0-9])?", 40, "up to 40 of a-z, 0-9 and -, a letter first", "prod"
    ),
    # Compute Engine, "Regions and zones".
    "location": Rule(
        r"[a-z]+-[a-z]+\d{1,2}(-[a-z])?", 40, "a Google Cloud region or zone", "europe-west1"
    ),
    "namespace": Rule(LABEL, 63, "an RFC 1123 label: up to 63 of a-z, 0-9 and -", "data"),
    "ksa": Rule(
        rf"{LABEL}(\.{LABEL})*", 253, "an RFC 1123 subdomain: a-z, 0-9, - and .", "etl-runner"
    ),
    # IAM API, projects.serviceAccounts.create: account ids of 6 to 30. The default accounts of
    # Compute Engine and App Engine are shared by all of a project, and so not taken.
    "gsa": Rule(
        rf"[a-z]([a-z0-9-]{{4,28}})[a-z0-9]@{PROJECT_IN_EMAIL}\.iam\.gserviceaccount\.com",
        340,
        "NAME@PROJECT.iam.gserviceaccount.com, NAME 6 to 30 of a-z, 0-9 and -, a letter first",
        "etl-runner@my-project.iam.gserviceaccount.com",
    ),
    # Compute Engine (RFC 1035), Cloud Run and Cloud Run functions: the strictest of the three, 49.
    "service": Rule(
        r"[a-z]([a-z0-9-]*[a-z0-9])?", 49, "up to 49 of a-z, 0-9 and -, a letter first", "reports"
    ),
    "aws-account": Rule(ACCOUNT_ID, 12, "12 digits", "123456789012"),
    # IAM API reference, CreateRole: RoleName 1 to 64 of [\w+=,.@-]; before it, the option may have
    # the role's path, as ARNs do.
    "role": Rule(
        r"([\w+=,.@-]+/)*[\w+=,.@-]{1,64}",
        574,
        "1 to 64 of letters, digits and _+=,.@-, after the role's path (service-role/etl)",
        "etl",
    ),
    "role-name": Rule(r"[\w+=,.@-]{1,64}", 64, "1 to 64 of letters, digits and _+=,.@-", "etl"),
    # The same, Path: 1 to 512 of `/`, or of ! to ~ between two of them; less what quotes.
    "role-path": Rule(r"/([\w+=,.@-]+/)*", 512, "/, or /NAME/", "/team/"),
    # AWS General Reference, "Service endpoints"; of the partition `aws`, whose STS Google asks.
    "region": Rule(
        r"(?!cn-|us-gov-|us-iso)[a-z]{2}-[a-z]+-\d{1,2}",
        16,
        "an AWS region, of neither China nor GovCloud",
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
    # IAM API, projects.roles: predefined roles, and those of a project or an organization.
    "grant": Rule(
        rf"((projects/{PROJECT}|organizations/\d+)/)?roles/[\w.]{{3,64}}",
        128,
        "roles/NAME, projects/PROJECT/roles/NAME or organizations/NUMBER/roles/NAME",
        "roles/pubsub.publisher",
    ),
    # IAM API reference, CreateOpenIDConnectProvider: client ids of 1 to 255. STS and Google take
    # more characters; these mean nothing to a shell, and `*`, `?` and `${` would in a policy.
    "audience": Rule(
        r"[\w:/.+=,@~-]{1,255}", 255, "up to 255 of letters, digits and :/.+=,@~_-", "aws:1234:etl"
    ),
    # IAM API reference, AttachRolePolicy: PolicyArn; Policy: Path of ! to ~, less what quotes.
    "policy-arn": Rule(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/([\w+=,.@/-]+/)?[\w+=,.@-]{1,128}",
        2048,
        "the ARN of a managed policy",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ),
}


def checked(name: str, value: str, rule: str = "") -> str:
    """*value*, where it is what the cloud takes for *name*.

    Args:
        name: Of the option.
        value: What it has.
        rule: The key of `RULES`, where that is not *name*.

    Raises:
        ConfigError: It is not.
    """
    pattern, longest, wanted, example = RULES[rule or name]
    whole = re.fullmatch(pattern, value, re.ASCII) if len(value) <= longest else None
    if whole is None:
        raise ConfigError(
            f"--{name} is {quoted(value)}; it must be {wanted}.",
            fix=f"give one such as {example}.",
            error_id="config/setup-name",
        )
    return value
