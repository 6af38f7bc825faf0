"""Environments of workloads on AWS: pods in EKS, EC2, ECS and Lambda.

Each method returns environment variables, for a subprocess or for this process. The role's trust
policy must admit the service: see `AwsSide.trust_policy_for_service`.
"""

from __future__ import annotations

import os
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from .accounts import role_arn_parts
from .aws_side import AwsSide
from .containers import POD_AUDIENCE, PodIdentityAgent
from .estate import EKS_ISSUER, REGION, written
from .imds import Imds
from .issuer import DEFAULT_AUDIENCE
from .service_roles import assume_for_workload

__all__ = ["Workloads"]

_CLUSTER_ARN = f"arn:aws:eks:{REGION}:123456789012:cluster/production"
_POD = "etl-7d4b9c6f5-x2x8q"
_POD_UID = "3f0b1c52-5c0a-4b3e-9d3e-6a1d6a0a9c11"
# EKS uses this lifetime for both kinds of token files (amazon-eks-pod-identity-webhook).
_TOKEN_LIFETIME_S = 86400
# Lambda does not document the lifetime of its credentials; users report twelve hours.
_LAMBDA_LIFETIME = timedelta(hours=12)


class Workloads(AwsSide):
    """Methods that return the environment of a workload on AWS."""

    @property
    def pod_identity(self) -> PodIdentityAgent:
        """The Pod Identity Agent of EKS, and the agent of ECS; started on first use."""
        return self._lazily(
            PodIdentityAgent,
            lambda: PodIdentityAgent(self._accounts, self._cluster, _CLUSTER_ARN, self._now),
        )

    @property
    def imds(self) -> Imds:
        """EC2's instance metadata service; started on first use."""
        return self._lazily(Imds, lambda: Imds(self._accounts, REGION, self._now))

    @property
    def eks_issuer_url(self) -> str:
        """`iss` of the tokens of pods in the EKS cluster."""
        return EKS_ISSUER

    def eks_token(
        self,
        audience: str = DEFAULT_AUDIENCE,
        *,
        namespace: str = "default",
        ksa: str = "etl",
        forged: bool = False,
        **claim_overrides: Any,
    ) -> str:
        """Return a projected token of a pod in the EKS cluster: the content of its token file.

        Args:
            audience: `aud`.
            namespace: Namespace of the pod.
            ksa: Kubernetes service account of the pod.
            forged: Sign with a key that is not the cluster's.
            claim_overrides: Claims to add or replace; `None` removes a claim.
        """
        subject = f"system:serviceaccount:{namespace}:{ksa}"
        about = {
            "namespace": namespace,
            "pod": {"name": _POD, "uid": _POD_UID},
            "serviceaccount": {
                "name": ksa,
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, subject)),
            },
        }
        issuer = self._issuer_of(EKS_ISSUER)
        ends = int(self._now().timestamp()) + _TOKEN_LIFETIME_S
        claims = {"exp": ends, "kubernetes.io": about, **claim_overrides}
        return issuer.sign(issuer.kubernetes_claims(subject, audience, claims), forged=forged)

    def eks_pod(
        self,
        role_arn: str,
        folder: str | os.PathLike[str],
        *,
        how: Literal["pod-identity", "irsa"] = "pod-identity",
        namespace: str = "default",
        ksa: str = "etl",
    ) -> dict[str, str]:
        """Return the environment of a pod in EKS, and write its token file.

        Args:
            role_arn: Role of the pod's service account.
            folder: Directory for the token file, which only its owner can read.
            how: EKS Pod Identity, or IAM roles for service accounts (IRSA).
            namespace: Namespace of the pod.
            ksa: Kubernetes service account of the pod.

        Raises:
            ValueError: `how` is unknown, or `role_arn` is not the ARN of a role.
        """
        role = role_arn_parts(role_arn)
        if how not in ("pod-identity", "irsa") or role is None:
            raise ValueError(f"{how!r} is pod-identity or irsa, {role_arn!r} the ARN of a role.")
        audience = POD_AUDIENCE if how == "pod-identity" else DEFAULT_AUDIENCE
        token = self.eks_token(audience, namespace=namespace, ksa=ksa)
        path = written(Path(folder) / f"{how}-token", token)
        common = {**self._aws_environ(), "AWS_STS_REGIONAL_ENDPOINTS": "regional"}
        if how == "pod-identity":
            self.pod_identity.associate(namespace, ksa, role_arn)
            return {
                **common,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.pod_identity.pod_url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": path,
            }
        if self._accounts.provider(role["account"], EKS_ISSUER) is None:
            self.add_oidc_provider(EKS_ISSUER, account=role["account"])
        return {**common, "AWS_ROLE_ARN": role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": path}

    def ec2_environ(self, role_arn: str) -> dict[str, str]:
        """Return the environment of a program on an EC2 instance that has this role."""
        self.imds.role_arn = role_arn
        return {
            **self._aws_environ(),
            "AWS_EC2_METADATA_DISABLED": "false",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url,
        }

    def ecs_environ(self, role_arn: str, token: str | None = None) -> dict[str, str]:
        """Return the environment of an ECS task.

        Args:
            role_arn: Role of the task.
            token: Authorization token of the task; `None`: no token is required.
        """
        found = {
            **self._aws_environ(),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.pod_identity.add_task(role_arn, token),
        }
        return found if token is None else {**found, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}

    def lambda_environ(self, role_arn: str, function: str = "etl") -> dict[str, str]:
        """Return the environment of a Lambda function, which contains its credentials.

        Raises:
            AwsError: The role's trust policy does not admit Lambda.
        """
        now, service = self._now(), "lambda.amazonaws.com"
        key = assume_for_workload(
            self._accounts, role_arn, service, function, now + _LAMBDA_LIFETIME, now=now
        )
        return {
            **self._aws_environ(),
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_SESSION_TOKEN": key.session_token or "",
        }
