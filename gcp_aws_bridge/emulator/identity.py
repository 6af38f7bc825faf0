"""Who the pod is: its Google service account, and the project and cluster that it runs in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["ServiceAccount"]


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A Google service account, linked to a Kubernetes one by Workload Identity.

    Attributes:
        email: Its address; it can be freed and taken again, so no policy should rest on it.
        unique_id: 21 digits, `sub` of its ID tokens, and `azp` of all but a key file's; never used
            twice.
        project_id: The project it belongs to.
        project_number: The same project, as a number.
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
        """The cluster's workload identity pool; what an unlinked pod has for an e-mail."""
        return f"{self.project_id}.svc.id.goog"

    @staticmethod
    def named(email: str) -> ServiceAccount:
        """Return an account with this e-mail, and a number that is always the same for it.

        Raises:
            ValueError: The address is not of the form `NAME@PROJECT.iam.gserviceaccount.com`. A
                project of a domain, `example.com:web`, is written `web.example.com` there.
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
