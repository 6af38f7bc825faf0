"""A test kit for programs that use this library: a pod, and both clouds, in the test's process.

    pytest_plugins = ["gcp_aws_bridge.testing"]  # in conftest.py: brings two fixtures

    def test_it(gke_pod):  # a pod in GKE, which calls AWS
        gke_pod.add_role("arn:aws:iam::123456789012:role/etl")

    def test_that(eks_pod):  # a pod in EKS, which calls Google Cloud
        eks_pod.add_service_account("publisher@my-project.iam.gserviceaccount.com")

Without pytest, use the context managers `gke_pod()` and `eks_pod()` of this module. Importing it
loads neither pytest nor the emulator; the first pod loads them.

See: docs/how-to/testing.md
"""

from __future__ import annotations

TYPE_CHECKING = False

__all__ = ["EksPod", "GkePod", "eks_pod", "gke_pod"]

if TYPE_CHECKING:
    from typing import Any

    from gcp_aws_bridge.testing._eks import EksPod, eks_pod
    from gcp_aws_bridge.testing._gke import GkePod, gke_pod

# pytest takes this from any module that it loads as a plugin (pytest, "Writing plugins").
pytest_plugins: list[str] = ["gcp_aws_bridge.testing._fixtures"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gcp_aws_bridge.testing import _eks, _gke

    return getattr(_eks if "eks" in name.lower() else _gke, name)
