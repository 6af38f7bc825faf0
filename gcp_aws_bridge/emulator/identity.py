"""Identity of the pod: its Google service account, project and cluster."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["ServiceAccount"]


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A Google service account that Workload Identity links to a Kubernetes service account.

    Attributes:
        email: E-mail. A deleted account's e-mail can be used again, so policies should not depend
            on it.
        unique_id: 21 digits, never used again; `sub` of ID tokens, and `azp` of all ID tokens
            except those from a key file.
        project_id: Id of the project.
        project_number: Number of the project.
        namespace: Kubernetes namespace of the pod.
        kubernetes_name: Name of the pod's Kubernetes service account.
    """

    email: str = "etl@demo-project.iam.gserviceaccount.com"
    unique_id: str = "104203741234567890123"
    project_id: str = "demo-project"
    project_number: str = "123456789012"
    namespace: str = "default"
    kubernetes_name: str = "etl"

    @property
    def workload_pool(self) -> str:
        """The cluster's workload identity pool, which is the e-mail of an unlinked pod."""
        return f"{self.project_id}.svc.id.goog"

    @staticmethod
    def named(email: str) -> ServiceAccount:
        """Return an account with this e-mail, and a unique id derived from it.

        Raises:
            ValueError: The e-mail is not of the form `NAME@PROJECT.iam.gserviceaccount.com`. The
                domain-scoped project `example.com:web` is written `web.example.com` there.
        """
        name, _, domain = email.partition("@")
        project, _, scope = domain.removesuffix(".iam.gserviceaccount.com").partition(".")
        if not name or not project or not domain.endswith(".iam.gserviceaccount.com"):
            raise ValueError(
                f"{email!r} is not a service account's e-mail: "
                "NAME@PROJECT.iam.gserviceaccount.com."
            )
        digits = int(hashlib.sha256(email.encode()).hexdigest(), 16) % 10**20
        return ServiceAccount(
            email=email,
            unique_id=f"1{digits:020d}",
            project_id=f"{scope}:{project}" if scope else project,
            kubernetes_name=name,
        )
