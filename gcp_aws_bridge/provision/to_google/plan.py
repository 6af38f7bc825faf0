"""`Plan`: a workload on AWS and its federation in Google Cloud, as one checked value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy import cel
from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.provision import annotated
from gcp_aws_bridge.provision.names import checked
from gcp_aws_bridge.provision.plan import AwsRole

__all__ = ["PLATFORMS", "POOL", "RULES_OF", "Federation", "Plan", "Workload", "provider_for"]

_IN_CLUSTER = ("region", "cluster", "namespace", "ksa")
# Platforms of the workload, and the fields that each one needs.
PLATFORMS: dict[str, tuple[str, ...]] = {
    "eks": _IN_CLUSTER,
    "eks-irsa": _IN_CLUSTER,
    "eks-issuer": _IN_CLUSTER,
    "ec2": (),
    "ecs": ("region",),
    "lambda": (),
    "aws-outbound": (),
}
# Rules of names in AWS that differ from those in Google Cloud.
RULES_OF = {"cluster": "eks-cluster"}
POOL = "aws-workloads"
_TOKEN_FILE = "/var/run/secrets/google/token"
# `sts` for the exchange, `iamcredentials` for a service account's token.
_SERVICES = ("cloudresourcemanager", "iam", "iamcredentials", "sts")


@dataclass(frozen=True)
class Workload:
    """Workload that may access Google Cloud.

    Args:
        platform: A key of `PLATFORMS`.
        account: AWS account, 12 digits. Google supports only the partition `aws`.
        region: Region of the cluster, or of ECS.
        cluster: EKS cluster.
        namespace: Kubernetes namespace.
        ksa: Kubernetes service account.

    Raises:
        ConfigError: A name is missing, or AWS or Kubernetes would reject it.
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
        """True if the workload is a pod."""
        return "cluster" in PLATFORMS[self.platform]

    @property
    def has_role(self) -> bool:
        """True if the identity is a role; otherwise, the cluster signs a token for the pod."""
        return self.platform != "eks-issuer"

    @property
    def is_signed(self) -> bool:
        """True if the subject token is a signed GetCallerIdentity, not an OIDC token."""
        return self.platform not in ("eks-issuer", "aws-outbound")

    @property
    def cluster_arn(self) -> str:
        """ARN of the cluster, which is also the name of its kubectl context."""
        return f"arn:aws:eks:{self.region}:{self.account}:cluster/{self.cluster}"

    @property
    def subject(self) -> str:
        """`sub` of tokens that the cluster signs for the pod."""
        return f"system:serviceaccount:{self.namespace}:{self.ksa}"


@dataclass(frozen=True)
class Federation:
    """Provider and access in a Google Cloud project.

    Args:
        project: Id of the project.
        provider: Provider of the pool, a separate one for each role or Kubernetes service account.
        pool: Workload identity pool, which providers share.
        gsa: E-mail address of the Google service account that the workload impersonates. Empty:
            the workload itself has access.
        grants: Roles in the project, for the service account or for the workload.
        number: Number of the project; empty if it is not known.

    Raises:
        ConfigError: A name is missing, or Google would reject it.
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
        """Project of the Google service account."""
        return project_of(self.gsa)


@dataclass(frozen=True)
class Plan:
    """Workload, federation and role.

    Args:
        workload: Workload on AWS.
        google: Federation in Google Cloud.
        role: Role of the workload; None if it has none.
        annotate: Whether pods get the identity from the webhook, by annotations of their account.

    Raises:
        ConfigError: Google would reject the subject, or the workload needs a role.
    """

    workload: Workload
    google: Federation
    role: AwsRole | None = None
    annotate: bool = False

    def __post_init__(self) -> None:
        if self.annotate:
            annotated.require_valid(self.annotations(self.google.number or "1"))
        subject = self.subject
        if len(subject.encode()) > cel.LONGEST_SUBJECT:
            raise ConfigError(
                f"The subject in Google Cloud would be {quoted(subject)}: {len(subject)} bytes; "
                f"Google accepts {cel.LONGEST_SUBJECT}.",
                fix="use shorter names for the provider, namespace and account, or the role.",
                error_id="config/setup-subject",
            )

    @property
    def session_arn(self) -> str:
        """Beginning of the ARNs of the role's sessions, which do not contain its path."""
        assert self.role  # noqa: S101 - for platforms with a role
        return f"arn:aws:sts::{self.workload.account}:assumed-role/{self.role.name}"

    @property
    def who(self) -> str:
        """Description of the workload for the provider (at most 256 characters)."""
        if self.workload.is_signed:
            return self.session_arn
        return self.role.arn if self.role else f"{self.workload.subject} of {self._cluster}"

    @property
    def _cluster(self) -> str:
        at = self.workload
        return f"{at.account}/{at.region}/{at.cluster}"

    @property
    def condition(self) -> str:
        """Attribute condition of the provider, which only this workload meets."""
        if self.workload.is_signed:
            return cel.is_role(self.session_arn)
        return cel.is_subject(self.role.arn if self.role else self.workload.subject)

    @property
    def mapping(self) -> dict[str, str]:
        """Attribute mapping of the provider.

        Every cluster has a `system:serviceaccount:default:default`, and members of IAM policies
        contain only the pool. The provider's id at the beginning distinguishes the clusters.
        """
        if self.workload.is_signed:
            return cel.OF_ROLE
        return cel.of_subject("" if self.role else f"{self.google.provider}:")

    @property
    def subject(self) -> str:
        """`google.subject` of the workload, which is in Google's audit logs."""
        at = self.workload
        if at.is_signed:
            return f"{at.account}:{self.role.name if self.role else ''}"
        return self.role.arn if self.role else f"{self.google.provider}:{at.subject}"

    @property
    def services(self) -> list[str]:
        """Google APIs for the set-up, and for the exchange."""
        return [f"{name}.googleapis.com" for name in _SERVICES]

    def pool_name(self, number: str) -> str:
        """Return the name of the pool in the project with this *number*."""
        pool = f"locations/global/workloadIdentityPools/{self.google.pool}"
        return f"iam.googleapis.com/projects/{number}/{pool}"

    def audience(self, number: str) -> str:
        """Return the audience of the exchange, and of tokens for it."""
        return f"//{self.pool_name(number)}/providers/{self.google.provider}"

    def member(self, number: str) -> str:
        """Return the workload as a member of IAM policies ("Principal identifiers")."""
        if self.workload.is_signed:
            return f"principalSet://{self.pool_name(number)}/attribute.aws_role/{self.session_arn}"
        return f"principal://{self.pool_name(number)}/subject/{self.subject}"

    def holder(self, number: str) -> str:
        """Return the member that gets the roles in the project."""
        gsa = self.google.gsa
        return f"serviceAccount:{gsa}" if gsa else self.member(number)

    def annotations(self, number: str) -> dict[str, str]:
        """Return the annotations for the webhook; empty without the option `--annotate`."""
        if not self.annotate:
            return {}
        values = {
            "google-provider": self.audience(number),
            "google-service-account": self.google.gsa,
            # Explicit: the default is `google-cloud`.
            "method": "google-serve" if self.workload.has_role else "",
        }
        return annotated.with_prefix(values)

    def variables(self, number: str) -> dict[str, str]:
        """Return the environment variables that the program needs."""
        found = {"GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": self.audience(number)}
        if self.google.gsa:
            found["GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT"] = self.google.gsa
        if not self.workload.has_role:
            found["GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE"] = _TOKEN_FILE
        if self.workload.platform == "aws-outbound":
            # The default is a signed request, which this provider rejects.
            found["GCP_AWS_BRIDGE_GOOGLE_SOURCE"] = "outbound"
        return found


def provider_for(workload: Workload, role: str) -> str:
    """Return a provider's id for a role or Kubernetes service account.

    Different names may have the same id, so the script compares the provider's description before
    it changes the provider.
    """
    name = f"aws-{role}" if workload.has_role else f"k8s-{workload.namespace}-{workload.ksa}"
    return re.sub("[^a-z0-9]+", "-", name.lower())[:32].strip("-")
