"""What is to be set up, as one checked value: `Plan`, the Google side and the AWS side of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy import build
from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.provision.names import checked

__all__ = [
    "INLINE_POLICY",
    "PLATFORMS",
    "REGIONS",
    "UNKNOWN_NUMBER",
    "AwsRole",
    "Plan",
    "Workload",
    "inline_policy",
    "own_audience",
]

INLINE_POLICY = "gcp-aws-bridge"  # the name of the role's inline policy

# In the place of a Google service account's number (21 digits), which Google gives out.
UNKNOWN_NUMBER = "0" * 21

_IN_CLUSTER = ("project", "cluster", "location", "namespace", "ksa")
_ELSEWHERE = ("project", "location", "service", "gsa")
# Where the workload runs, and what must be known of it there.
PLATFORMS: dict[str, tuple[str, ...]] = {
    "gke": (*_IN_CLUSTER, "gsa"),
    "gke-issuer": _IN_CLUSTER,
    "compute-engine": _ELSEWHERE,
    "cloud-run": _ELSEWHERE,
    "cloud-functions": _ELSEWHERE,
}
_SERVICES = {
    "gke": ["container.googleapis.com"],
    "gke-issuer": ["container.googleapis.com"],
    "compute-engine": ["compute.googleapis.com"],
    "cloud-run": ["run.googleapis.com"],
    "cloud-functions": ["cloudfunctions.googleapis.com", "run.googleapis.com"],
}
# IAM is global; its endpoint in each partition is in this region (botocore's endpoints.json; where
# that has none for IAM, the first region of the partition).
REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}
# IAM and AWS STS quotas: inline policies of a role, all together, without white space.
_LONGEST_POLICY = 10_240


@dataclass(frozen=True)
class Workload:
    """Who is to be let in.

    Args:
        platform: A key of `PLATFORMS`.
        project: The project of the cluster, instance, service or function.
        location: Its region or zone.
        cluster: Of GKE; with it *namespace* and *ksa*, the Kubernetes service account.
        gsa: The Google service account's e-mail; none for `gke-issuer`.
        service: The name of the instance, service or function, outside of GKE.

    Raises:
        ConfigError: A name is missing, or none that Google or Kubernetes would take.
    """

    platform: str
    project: str
    location: str
    cluster: str = ""
    namespace: str = ""
    ksa: str = ""
    gsa: str = ""
    service: str = ""

    def __post_init__(self) -> None:
        for name in PLATFORMS[self.platform]:
            checked(name, getattr(self, name))
        if self.platform == "gke-issuer" and ":" in self.project:
            raise ConfigError(
                f"The issuer of a cluster in the domain-scoped project {quoted(self.project)} "
                "has a colon in its URL, which no trust policy is written with.",
                fix="use a Google service account: --on=gke.",
                error_id="config/setup-option",
            )

    @property
    def in_cluster(self) -> bool:
        """Whether it is a pod."""
        return "cluster" in PLATFORMS[self.platform]

    @property
    def services(self) -> list[str]:
        """The Google APIs that it takes to set this up, and for ID tokens."""
        return ["iam.googleapis.com", "iamcredentials.googleapis.com", *_SERVICES[self.platform]]

    @property
    def gsa_name(self) -> str:
        """What `gcloud` creates it by."""
        return self.gsa.partition("@")[0]

    @property
    def gsa_project(self) -> str:
        """The project that the Google service account is in; it need not be the workload's."""
        return project_of(self.gsa)

    @property
    def pool(self) -> str:
        """The workload identity pool of the cluster's project; empty where the cluster must say.

        GKE, "About Workload Identity Federation": `PROJECT_ID.svc.id.goog`. What that is of a
        domain-scoped project is not documented.
        """
        return "" if ":" in self.project else f"{self.project}.svc.id.goog"

    def member(self, pool: str) -> str:
        """The Kubernetes service account as Google's IAM names it (GKE, "Workload Identity")."""
        return f"serviceAccount:{pool}[{self.namespace}/{self.ksa}]"

    @property
    def issuer(self) -> str:
        """`iss` of the tokens that the cluster itself signs."""
        where = f"projects/{self.project}/locations/{self.location}/clusters/{self.cluster}"
        return f"https://container.googleapis.com/v1/{where}"

    @property
    def subject(self) -> str:
        """`sub` of such tokens."""
        return f"system:serviceaccount:{self.namespace}:{self.ksa}"


@dataclass(frozen=True)
class AwsRole:
    """The role that lets it in.

    Args:
        account: 12 digits.
        name: Of the role.
        audience: What tokens must be for. Empty: one of the role's own, `aws:ACCOUNT:NAME`, so
            that a token for one role is useless for another.
        policy_arns: Managed policies that say what the role may do.
        policy: An inline policy to the same end, as JSON text; see `inline_policy`.
        partition: A key of `REGIONS`.
        path: Of the role: `/`, or `/TEAM/`. Its ARN has it; ARNs of its sessions have not.

    Raises:
        ConfigError: A name is missing, or none that IAM would take.
    """

    account: str
    name: str
    audience: str = ""
    policy_arns: tuple[str, ...] = ()
    policy: str = ""
    partition: str = "aws"
    path: str = "/"

    def __post_init__(self) -> None:
        checked("aws-account", self.account)
        checked("role", self.name, "role-name")
        checked("role-path", self.path)
        for arn in self.policy_arns:
            checked("policy-arn", arn)
        if not self.audience:
            object.__setattr__(self, "audience", own_audience(self.account, self.name))
        checked("audience", self.audience)
        if self.policy:
            object.__setattr__(self, "policy", inline_policy(self.policy))

    @property
    def arn(self) -> str:
        """The role's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:role{self.path}{self.name}"


@dataclass(frozen=True)
class Plan:
    """Both sides."""

    workload: Workload
    role: AwsRole

    @property
    def provider_arn(self) -> str:
        """The IAM OIDC provider that stands for the cluster's issuer."""
        name = self.workload.issuer.removeprefix("https://")
        return f"arn:{self.role.partition}:iam::{self.role.account}:oidc-provider/{name}"

    @property
    def variables(self) -> dict[str, str]:
        """What the program's environment must have."""
        return {
            "GCP_AWS_BRIDGE_ROLE_ARN": self.role.arn,
            "GCP_AWS_BRIDGE_AUDIENCE": self.role.audience,
        }

    def trust_policy(self, number: str = UNKNOWN_NUMBER) -> dict[str, Any]:
        """The role's trust policy, with *number* for that of the Google service account."""
        aws, at = self.role, self.workload
        if at.platform == "gke-issuer":
            return build(
                audience=aws.audience,
                issuer=at.issuer,
                subjects=[at.subject],
                account_id=aws.account,
                partition=aws.partition,
            )
        return build(audience=aws.audience, service_accounts=[number])


def own_audience(account: str, role: str) -> str:
    """The audience that is a role's own."""
    return f"aws:{account}:{role}"


def inline_policy(text: str) -> str:
    """A permissions policy in the fewest characters.

    Raises:
        ConfigError: It is no JSON object with statements, or too long for IAM.
    """
    problem = ""
    compact = ""
    try:
        document = json.loads(text)
        if not isinstance(document, Mapping) or not document.get("Statement"):
            problem = "JSON, but not a policy: an object with a Statement"
        # ASCII: what a terminal, a shell and Terraform all show as it is.
        compact = json.dumps(document, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        problem = f"not JSON ({error.args[0] if error.args else type(error).__name__})"
    if not problem and len(compact) > _LONGEST_POLICY:
        problem = f"{len(compact)} characters long; IAM takes {_LONGEST_POLICY} of inline policies"
    if problem:
        raise ConfigError(
            f"The permissions policy is {problem}.",
            fix="give the file of an IAM policy, or managed policies with --policy-arn.",
            error_id="config/setup-policy",
        )
    return compact
