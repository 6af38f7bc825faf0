"""`Plan`: the workload on Google Cloud and the role in AWS, as one checked value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy import build
from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.provision import annotated
from gcp_aws_bridge.provision.chain import Chain
from gcp_aws_bridge.provision.names import checked
from gcp_aws_bridge.provision.platforms import PLATFORMS, Platform

__all__ = [
    "INLINE_POLICY",
    "REGIONS",
    "UNKNOWN_NUMBER",
    "AwsRole",
    "Plan",
    "Workload",
    "inline_policy",
    "own_audience",
]

INLINE_POLICY = "gcp-aws-bridge"  # the name of the role's inline policy

# Placeholder for the number of a Google service account (21 digits), which Google assigns.
UNKNOWN_NUMBER = "0" * 21

# IAM is global; its endpoint in each partition is in this region (botocore's endpoints.json, or the
# first region of the partition if IAM has no endpoint there).
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
# IAM and AWS STS quotas: total size of the inline policies of a role, without white space.
_LONGEST_POLICY = 10_240


@dataclass(frozen=True)
class Workload:
    """Workload that may assume the role.

    Args:
        platform: A key of `PLATFORMS`.
        project: Project of the workload.
        location: Region or zone.
        cluster: GKE cluster.
        namespace: Kubernetes namespace.
        ksa: Kubernetes service account.
        gsa: E-mail address of the Google service account; empty for `gke-issuer`.
        service: Name of the instance, service, function and so on, outside of GKE.

    Raises:
        ConfigError: A name is missing, or Google or Kubernetes would reject it.
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
        for name in self.of_platform.fields:
            checked(name, getattr(self, name), self.of_platform.rules.get(name, ""))
        if self.platform == "gke-issuer" and ":" in self.project:
            raise ConfigError(
                f"The issuer of a cluster in the domain-scoped project {quoted(self.project)} "
                "has a colon in its URL, which a trust policy cannot contain.",
                fix="use a Google service account: --on=gke.",
                error_id="config/setup-option",
            )

    @property
    def of_platform(self) -> Platform:
        """The entry of the platform in `PLATFORMS`."""
        return PLATFORMS[self.platform]

    @property
    def in_cluster(self) -> bool:
        """True if the workload is a pod."""
        return "cluster" in self.of_platform.fields

    @property
    def services(self) -> list[str]:
        """Google APIs for the set-up, and for ID tokens."""
        return [
            f"{api}.googleapis.com" for api in ("iam", "iamcredentials", *self.of_platform.apis)
        ]

    @property
    def gsa_name(self) -> str:
        """Name of the Google service account, without project."""
        return self.gsa.partition("@")[0]

    @property
    def gsa_project(self) -> str:
        """Project of the Google service account, which may differ from the workload's."""
        return project_of(self.gsa)

    @property
    def gsa_member(self) -> str:
        """The Google service account as an IAM member."""
        return f"serviceAccount:{self.gsa}"

    @property
    def pool(self) -> str:
        """Workload identity pool of the project; empty if it must be read from the cluster.

        GKE, "About Workload Identity Federation": `PROJECT_ID.svc.id.goog`. The name for a
        domain-scoped project is not documented.
        """
        return "" if ":" in self.project else f"{self.project}.svc.id.goog"

    def member(self, pool: str) -> str:
        """Return the Kubernetes service account as an IAM member (GKE, "Workload Identity")."""
        return f"serviceAccount:{pool}[{self.namespace}/{self.ksa}]"

    @property
    def issuer(self) -> str:
        """`iss` of the tokens that the cluster signs."""
        where = f"projects/{self.project}/locations/{self.location}/clusters/{self.cluster}"
        return f"https://container.googleapis.com/v1/{where}"

    @property
    def subject(self) -> str:
        """`sub` of the tokens that the cluster signs for the pod."""
        return f"system:serviceaccount:{self.namespace}:{self.ksa}"


@dataclass(frozen=True)
class AwsRole:
    """Role in AWS.

    Args:
        account: 12 digits.
        name: Name of the role.
        audience: Audience of the tokens. Empty: `aws:ACCOUNT:NAME`, a separate audience for the
            role, so that a token for one role is useless for another.
        policy_arns: Managed policies with the permissions of the role.
        policy: Inline policy with permissions, as JSON text; see `inline_policy`.
        partition: A key of `REGIONS`.
        path: Path of the role: `/`, or `/TEAM/`. It is part of the role's ARN, but not of the ARNs
            of its sessions.

    Raises:
        ConfigError: A name is missing, or IAM would reject it.
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
        """ARN of the role."""
        return f"arn:{self.partition}:iam::{self.account}:role{self.path}{self.name}"


@dataclass(frozen=True)
class Plan:
    """Workload, role and chained roles.

    Args:
        workload: Workload on Google Cloud.
        role: Its role.
        chain: Chained roles after it.
        annotate: Whether pods get the role from the webhook, by annotations of their account.
        region: AWS region for these pods; empty: they set it themselves.
    """

    workload: Workload
    role: AwsRole
    chain: Chain = field(default_factory=Chain)
    annotate: bool = False
    region: str = ""

    def __post_init__(self) -> None:
        if self.annotate:
            annotated.require_valid(self.link | self.annotations)

    @property
    def link(self) -> dict[str, str]:
        """Annotation that links the Kubernetes service account to its Google service account."""
        return {annotated.LINK: self.workload.gsa} if self.workload.gsa else {}

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations for the webhook; empty without the option `--annotate`."""
        if not self.annotate:
            return {}
        aws = self.role
        # The audience is not the webhook's default, and STS of other partitions has no global name.
        region = self.region or ("" if aws.partition == "aws" else REGIONS[aws.partition])
        return annotated.with_prefix(
            {
                "role-arn": aws.arn,
                "audience": aws.audience,
                # Explicit: the default is `google` if the account is also linked.
                "method": "" if self.workload.gsa else "cluster-token",
                "region": region,
                "chain": self.chain.setting,
            }
        )

    @property
    def provider_arn(self) -> str:
        """ARN of the IAM OIDC provider for the cluster's issuer."""
        name = self.workload.issuer.removeprefix("https://")
        return f"arn:{self.role.partition}:iam::{self.role.account}:oidc-provider/{name}"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that the program needs."""
        return {
            "GCP_AWS_BRIDGE_ROLE_ARN": self.role.arn,
            "GCP_AWS_BRIDGE_AUDIENCE": self.role.audience,
            **self.chain.variables,
        }

    @property
    def pipeline_options(self) -> list[str]:
        """Options of a Beam pipeline, as `adapters.beam.options` writes them."""
        setting = self.chain.setting
        role: dict[str, Any] = {"arn": self.role.arn, "audience": self.role.audience}
        if setting:
            listed = setting.startswith("[")
            role["chain"] = json.loads(setting) if listed else setting.split(",")
        return [
            "--beam_plugins=gcp_aws_bridge.adapters.beam.BridgePlugin",
            f"--gcp_aws_bridge_role={json.dumps(role)}",
        ]

    def trust_policy(self, number: str = UNKNOWN_NUMBER) -> dict[str, Any]:
        """Return the role's trust policy for the Google service account with this *number*."""
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
    """Return the default audience of a role."""
    return f"aws:{account}:{role}"


def inline_policy(text: str) -> str:
    """Return a permissions policy as compact JSON.

    Raises:
        ConfigError: It is not a JSON object with statements, or too long for IAM.
    """
    problem = ""
    compact = ""
    try:
        document = json.loads(text)
        if not isinstance(document, Mapping) or not document.get("Statement"):
            problem = "JSON, but not a policy: it has no Statement"
        # ASCII, which terminals, shells and Terraform all show unchanged.
        compact = json.dumps(document, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        problem = f"not JSON ({error.args[0] if error.args else type(error).__name__})"
    if not problem and len(compact) > _LONGEST_POLICY:
        problem = f"{len(compact)} characters long; IAM accepts {_LONGEST_POLICY}"
    if problem:
        raise ConfigError(
            f"The permissions policy is {problem}.",
            fix="pass the file of an IAM policy, or managed policies with --policy-arn.",
            error_id="config/setup-policy",
        )
    return compact
