"""A test kit for programs that use this library: a pod in GKE, and AWS STS, in the test's process.

    pytest_plugins = ["gcp_aws_bridge.testing"]  # in conftest.py: brings the fixture `gke_pod`

    def test_it(gke_pod):
        gke_pod.add_role("arn:aws:iam::123456789012:role/etl")

Without pytest, `gke_pod()` here is the same as a context manager. Importing this loads neither
pytest nor the emulator: they are loaded when the first pod is entered.

See: docs/how-to/testing.md
"""

from __future__ import annotations

TYPE_CHECKING = False

__all__ = ["GkePod", "gke_pod"]

if TYPE_CHECKING:
    from typing import Any

    from gcp_aws_bridge.testing._pod import GkePod, gke_pod

# pytest takes this from any module that it loads as a plugin (pytest, "Writing plugins").
pytest_plugins: list[str] = ["gcp_aws_bridge.testing._fixtures"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gcp_aws_bridge.testing import _pod

    return getattr(_pod, name)
