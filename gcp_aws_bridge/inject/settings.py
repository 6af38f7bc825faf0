"""`Settings`: settings that are the same for all pods of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from gcp_aws_bridge.inject.annotations import PREFIX


@dataclass(frozen=True)
class Settings:
    """Settings of a cluster.

    Args:
        image: Image of the sidecars; its entry point is gcp-aws-bridge. Empty: a pod that needs a
            sidecar is an error.
        prefixes: Prefixes of annotations, in order of precedence.
        region: AWS region of pods without the annotation `region`. None: they get no variable.
        native_sidecars: Whether the cluster supports native sidecars (Kubernetes 1.29). Otherwise
            a sidecar is an ordinary container.
        status_host: Address on which a sidecar answers probes; `::` on an IPv6-only cluster.
    """

    image: str = ""
    prefixes: tuple[str, ...] = (PREFIX,)
    region: str | None = None
    native_sidecars: bool = True
    status_host: str = "0.0.0.0"
