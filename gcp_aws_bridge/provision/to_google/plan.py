"""What is to be set up for a workload on AWS, as one checked value: `Plan`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy import cel
from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.provision.names import checked
from gcp_aws_bridge.provision.plan import AwsRole

__all__ = ["PLATFORMS", "POOL", "RULES_OF", "Federation", "Plan", "Workload", "provider_for"]

_IN_CLUSTER = ("region", "cluster", "namespace", "ksa")
# Where the workload runs, and what must be known of it there.
PLATFORMS: dict[str, tuple[str, ...]] = {
    "eks": _IN_CLUSTER,
    "eks-irsa": _IN_CLUSTER,
    "eks-issuer": _IN_CLUSTER,
    "ec2": (),
    "ecs": ("region",),
    "lambda": (),
    "aws-outbound": (),
}
# Names that have other rules in AWS than in Google Cloud.
RULES_OF = {"cluster": "eks-cluster"}
POOL = "aws-workloads"
_TOKEN_FILE = "/var/run/secrets/google/token"
# `sts` for the exchange, `iamcredentials` for a service account's token.
_SERVICES = ("cloudresourcemanager", "iam", "iamcredentials", "sts")


@dataclass(frozen=True)
class Workload:
    """Who is to be let in.

    Args:
        platform: A key of `PLATFORMS`.
        account: Its AWS account, 12 digits, of the partition `aws`: of others, Google does not ask
            the STS.
        region: Of the cluster, or of ECS.
        cluster: Of EKS; with it *namespace* and *ksa*, the Kubernetes service account.

    Raises:
        ConfigError: A name is missing, or none that AWS or Kubernetes would take.
    """

    platform: str
    account: str
    region: str = ""
    cluster: str = ""
    namespace: str = ""
    ksa: str = ""

    def __post_init__(self) -> None:
        checked("aws-account", self.account)
        for name in PLATFORMS[self.platform]:
            checked(name, getattr(self, name), RULES_OF.get(name, ""))

    @property
    def in_cluster(self) -> bool:
        """Whether it is a pod."""
        return "cluster" in PLATFORMS[self.platform]

    @property
    def has_role(self) -> bool:
        """Whether it is a role that is let in; else, the cluster vouches for its pod."""
        return self.platform != "eks-issuer"

    @property
    def is_signed(self) -> bool:
        """Whether a signed GetCallerIdentity is what Google gets; else, an OIDC token."""
        return self.platform not in ("eks-issuer", "aws-outbound")

    @property
    def cluster_arn(self) -> str:
        """The cluster, as AWS names it; the name of its context of kubectl, too."""
        return f"arn:aws:eks:{self.region}:{self.account}:cluster/{self.cluster}"

    @property
    def subject(self) -> str:
        """`sub` of tokens that the cluster signs for the pod."""
        return f"system:serviceaccount:{self.namespace}:{self.ksa}"


@dataclass(frozen=True)
class Federation:
    """What lets it in, in a Google Cloud project.

    Args:
        project: Its id.
        provider: Of the pool: one for each role, or for each Kubernetes service account.
        pool: The workload identity pool, which providers share.
        gsa: The e-mail of the Google service account that the workload acts as. Empty: it has
            access as itself.
        grants: Roles in the project, for the one or the other.
        number: The project's number; empty where only Google knows it so far.

    Raises:
        ConfigError: A name is missing, or none that Google would take.
    """

    project: str
    provider: str
    pool: str = POOL
    gsa: str = ""
    grants: tuple[str, ...] = ()
    number: str = ""

    def __post_init__(self) -> None:
        for name in ("project", "provider", "pool"):
            checked(name, getattr(self, name))
        for name, value in (("gsa", self.gsa), ("project-number", self.number)):
            if value:
                checked(name, value)
        for grant in self.grants:
            checked("grant", grant)

    @property
    def gsa_project(self) -> str:
        """The project that the Google service account is in."""
        return project_of(self.gsa)


@dataclass(frozen=True)
class Plan:
    """Both sides.

    Args:
        workload: On AWS.
        google: What lets it in.
        role: The workload's; None where it has none.

    Raises:
        ConfigError: Google would refuse its subject, or it needs a role.
    """

    workload: Workload
    google: Federation
    role: AwsRole | None = None

    def __post_init__(self) -> None:
        subject = self.subject
        if len(subject.encode()) > cel.LONGEST_SUBJECT:
            raise ConfigError(
                f"Google's subject for it would be {quoted(subject)}: {len(subject)} bytes, of "
                f"{cel.LONGEST_SUBJECT} that Google takes.",
                fix="take shorter names: of the provider, namespace and account, or the role.",
                error_id="config/setup-subject",
            )

    @property
    def session_arn(self) -> str:
        """The role as the ARNs of its sessions have it, which leave out its path."""
        assert self.role  # noqa: S101 - of platforms that have one
        return f"arn:aws:sts::{self.workload.account}:assumed-role/{self.role.name}"

    @property
    def who(self) -> str:
        """Who is let in, in words that Google keeps as the provider's description (256)."""
        if self.workload.is_signed:
            return self.session_arn
        return self.role.arn if self.role else f"{self.workload.subject} of {self._cluster}"

    @property
    def _cluster(self) -> str:
        at = self.workload
        return f"{at.account}/{at.region}/{at.cluster}"

    @property
    def condition(self) -> str:
        """The provider's condition: this workload, and nobody else of its AWS account."""
        if self.workload.is_signed:
            return cel.is_role(self.session_arn)
        return cel.is_subject(self.role.arn if self.role else self.workload.subject)

    @property
    def mapping(self) -> dict[str, str]:
        """What Google calls it.

        Every cluster has a `system:serviceaccount:default:default`, and an IAM policy names the
        pool alone: with the provider's id before it, another cluster's is not taken for this one's.
        """
        if self.workload.is_signed:
            return cel.OF_ROLE
        return cel.of_subject("" if self.role else f"{self.google.provider}:")

    @property
    def subject(self) -> str:
        """`google.subject` of the workload, for Google's audit logs."""
        at = self.workload
        if at.is_signed:
            return f"{at.account}:{self.role.name if self.role else ''}"
        return self.role.arn if self.role else f"{self.google.provider}:{at.subject}"

    @property
    def services(self) -> list[str]:
        """The Google APIs that it takes to set this up, and to be let in."""
        return [f"{name}.googleapis.com" for name in _SERVICES]

    def pool_name(self, number: str) -> str:
        """The pool, in the project of that *number*."""
        pool = f"locations/global/workloadIdentityPools/{self.google.pool}"
        return f"iam.googleapis.com/projects/{number}/{pool}"

    def audience(self, number: str) -> str:
        """The provider: `aud` of the exchange, and of tokens for it."""
        return f"//{self.pool_name(number)}/providers/{self.google.provider}"

    def member(self, number: str) -> str:
        """The workload, as Google's IAM policies name it ("Principal identifiers")."""
        if self.workload.is_signed:
            return f"principalSet://{self.pool_name(number)}/attribute.aws_role/{self.session_arn}"
        return f"principal://{self.pool_name(number)}/subject/{self.subject}"

    def holder(self, number: str) -> str:
        """Who has the roles in the project."""
        gsa = self.google.gsa
        return f"serviceAccount:{gsa}" if gsa else self.member(number)

    def variables(self, number: str) -> dict[str, str]:
        """What the program's environment must have."""
        found = {"GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": self.audience(number)}
        if self.google.gsa:
            found["GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT"] = self.google.gsa
        if not self.workload.has_role:
            found["GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE"] = _TOKEN_FILE
        if self.workload.platform == "aws-outbound":
            # For want of it, a signed request is sent, which this provider does not take.
            found["GCP_AWS_BRIDGE_GOOGLE_SOURCE"] = "outbound"
        return found


def provider_for(workload: Workload, role: str) -> str:
    """A provider's id for one role, or for one Kubernetes service account; not always another for
    another: the script looks at whom the provider is for before it changes anything.
    """
    name = f"aws-{role}" if workload.has_role else f"k8s-{workload.namespace}-{workload.ksa}"
    return re.sub("[^a-z0-9]+", "-", name.lower())[:32].strip("-")
