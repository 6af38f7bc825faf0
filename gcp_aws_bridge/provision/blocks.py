"""Blocks of Terraform that both directions have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from gcp_aws_bridge.provision.hcl import Expression, block, function
from gcp_aws_bridge.provision.plan import INLINE_POLICY, AwsRole

__all__ = ["google_account", "head", "permissions", "providers", "services"]


def applied(namespace: str, manifests: str = "kubernetes.yaml") -> str:
    """Return the shell command that follows: kubectl applies the manifests, in a namespace.

    Args:
        manifests: Path of the file, quoted for a shell.
    """
    # The manifests have no Namespace: deleting them would delete everything else in it.
    there = f"kubectl get namespace {namespace} >/dev/null 2>&1"
    return f"{{ {there} || kubectl create namespace {namespace}; }} && kubectl apply -f {manifests}"


def head(title: str, *notes: str, aws: str = "6.0") -> str:
    """The comment at the top, and which providers it takes."""
    comment = "".join(f"# {line}\n" for line in (title, *notes))
    # In `required_providers`, from 6.0 the aws provider wants no certificate's thumbprint.
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
    """Both clouds, and nothing in another AWS account than *account*."""
    yield block("provider", "google", [("project", project)])
    yield block("provider", "aws", [("region", region), ("allowed_account_ids", [account])])


def services(names: Sequence[str]) -> str:
    """The Google APIs that are needed."""
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
    """A Google service account."""
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


def permissions(aws: AwsRole) -> Iterator[str]:
    """What the role may do."""
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
