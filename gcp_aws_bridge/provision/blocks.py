"""Terraform blocks that both directions share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from gcp_aws_bridge.policy.hcl import Expression, block, function
from gcp_aws_bridge.provision.plan import INLINE_POLICY, AwsRole

__all__ = [
    "applied",
    "google_account",
    "grants",
    "head",
    "impersonation",
    "oidc_provider",
    "permissions",
    "providers",
    "role",
    "services",
]


def applied(namespace: str, manifests: str = "kubernetes.yaml") -> str:
    """Return the shell command that applies the manifests.

    Args:
        namespace: Their namespace, which is created if it does not exist.
        manifests: Path of the file, quoted for a shell.
    """
    # The manifests contain no Namespace: deleting them would delete everything else in it.
    there = f"kubectl get namespace {namespace} >/dev/null 2>&1"
    return f"{{ {there} || kubectl create namespace {namespace}; }} && kubectl apply -f {manifests}"


def head(title: str, *notes: str, aws: str = "6.0") -> str:
    """Return the comment at the top, and the required providers."""
    comment = "".join(f"# {line}\n" for line in (title, *notes))
    # From 6.0, the aws provider does not require the thumbprint of a certificate.
    return f"""\
{comment}
terraform {{
  required_version = ">= 1.5"

  required_providers {{
    google = {{
      source  = "hashicorp/google"
      version = ">= 6.0"
    }}
    aws = {{
      source  = "hashicorp/aws"
      version = ">= {aws}"
    }}
  }}
}}
"""


def providers(project: str, account: str, region: str) -> Iterator[str]:
    """Yield the providers of both clouds, limited to the AWS account *account*."""
    yield block("provider", "google", [("project", project)])
    yield block("provider", "aws", [("region", region), ("allowed_account_ids", [account])])


def services(names: Sequence[str]) -> str:
    """Return the resource that enables Google APIs."""
    return block(
        "resource",
        "google_project_service needed",
        [
            ("for_each", function("toset", [*names])),
            ("service", Expression("each.value")),
            ("disable_on_destroy", False),
        ],
    )


def google_account(email: str, purpose: str) -> str:
    """Return the Google service account."""
    name, _, domain = email.partition("@")
    return block(
        "resource",
        "google_service_account workload",
        [
            ("account_id", name),
            ("project", domain.partition(".")[0]),
            ("display_name", f"{name}, {purpose}"),
            ("depends_on", [Expression("google_project_service.needed")]),
        ],
    )


def grants(project: str, roles: Sequence[str], member: object, *more: tuple[str, Any]) -> str:
    """Return the binding that grants *roles* in the project to *member*."""
    return block(
        "resource",
        "google_project_iam_member granted",
        [
            ("for_each", function("toset", [*roles])),
            ("project", project),
            ("role", Expression("each.value")),
            ("member", member),
            *more,
        ],
    )


def impersonation(member: object, *more: tuple[str, Any]) -> str:
    """Return the binding by which *member* may impersonate the Google service account."""
    return block(
        "resource",
        "google_service_account_iam_member workload_identity",
        [
            ("service_account_id", Expression("google_service_account.workload.name")),
            ("role", "roles/iam.workloadIdentityUser"),
            ("member", member),
            *more,
        ],
    )


def oidc_provider(issuer: str, audience: str) -> str:
    """Return the IAM OIDC provider for the issuer of a cluster."""
    return block(
        "resource",
        "aws_iam_openid_connect_provider cluster",
        [("url", issuer), ("client_id_list", [audience])],
    )


def role(aws: AwsRole, description: str, policy: object, *, needs_provider: bool) -> str:
    """Return the role in AWS.

    Args:
        aws: The role.
        description: Its description.
        policy: Its trust policy.
        needs_provider: Whether the trust policy names the OIDC provider, which Terraform cannot
            see because the policy contains only its ARN.
    """
    after = ("depends_on", [Expression("aws_iam_openid_connect_provider.cluster")])
    return block(
        "resource",
        "aws_iam_role workload",
        [
            ("name", aws.name),
            *([("path", aws.path)] if aws.path != "/" else []),
            ("description", description),
            ("assume_role_policy", function("jsonencode", policy)),
            *([after] if needs_provider else []),
        ],
    )


def permissions(aws: AwsRole) -> Iterator[str]:
    """Yield the policies of the role."""
    role = Expression("aws_iam_role.workload.name")
    if aws.policy_arns:
        yield block(
            "resource",
            "aws_iam_role_policy_attachment managed",
            [
                ("for_each", function("toset", [*aws.policy_arns])),
                ("role", role),
                ("policy_arn", Expression("each.value")),
            ],
        )
    if aws.policy:
        document = function("jsonencode", json.loads(aws.policy))
        yield block(
            "resource",
            "aws_iam_role_policy inline",
            [("name", INLINE_POLICY), ("role", role), ("policy", document)],
        )
