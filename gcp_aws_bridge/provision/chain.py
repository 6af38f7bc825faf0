"""Chained roles after the role: permissions of the first, and trust policies for their owners.

A chained role is often in an account of someone else, so the script changes only the permissions of
the first role, and prints what the owners of the others add.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote
from typing import Any

from gcp_aws_bridge.policy import AssumeRoleRequest, build_chained, permissions_for
from gcp_aws_bridge.policy.hcl import Expression, block, function

__all__ = ["CHAIN_POLICY", "Chain"]

CHAIN_POLICY = "gcp-aws-bridge-chain"  # the name of the role's inline policy


@dataclass(frozen=True)
class Chain:
    """Chained roles, in the order in which they are assumed.

    Args:
        roles: ARN of each role.
        requests: Request for each role.
        setting: The chain as the value of `GCP_AWS_BRIDGE_CHAIN`.
    """

    roles: tuple[str, ...] = ()
    requests: tuple[AssumeRoleRequest, ...] = ()
    setting: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that the program needs for the chain."""
        return {"GCP_AWS_BRIDGE_CHAIN": self.setting} if self.roles else {}

    @property
    def permissions(self) -> dict[str, Any]:
        """Policy that allows the first role to assume the first chained role."""
        return permissions_for([self.roles[0]], self.requests[0])

    @property
    def trust_policies(self) -> dict[str, dict[str, Any]]:
        """Trust policy of each chained role."""
        made = map(build_chained, self.requests)
        return dict(zip(self.roles, made, strict=True))

    def steps(self) -> Iterator[str]:
        """Yield the steps of the script."""
        if not self.roles:
            return
        policy = json.dumps(self.permissions, indent=2)
        yield f"""
step "Permission to assume the chained role"
policy={quote(policy)}
aws iam put-role-policy --role-name "$role" --policy-name {CHAIN_POLICY} \\
  --policy-document "$policy"
"""
        text = "\n".join(self._instructions())
        yield f"""
step "To do: the chained roles, in their own accounts"
printf '%s\\n' {quote(text)} >&2
"""

    def _instructions(self) -> Iterator[str]:
        for position, (arn, trust) in enumerate(self.trust_policies.items()):
            yield f"The trust policy of {arn}:"
            yield json.dumps(trust, indent=2)
            if position + 1 < len(self.roles):
                allowed = permissions_for([self.roles[position + 1]], self.requests[position + 1])
                yield f"Its permission to assume the next role:\n{json.dumps(allowed, indent=2)}"

    def blocks(self) -> Iterator[str]:
        """Yield the Terraform blocks."""
        if not self.roles:
            return
        yield block(
            "resource",
            "aws_iam_role_policy chain",
            [
                ("name", CHAIN_POLICY),
                ("role", Expression("aws_iam_role.workload.name")),
                ("policy", function("jsonencode", self.permissions)),
            ],
        )
        trust = block("output", "chained_role_trust_policies", [("value", self.trust_policies)])
        yield f"# For the owners of the chained roles, which are in other accounts.\n{trust}"
