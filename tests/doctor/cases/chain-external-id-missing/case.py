from __future__ import annotations

from doctor.pod import NEAR, Pod

CAUSE = "doctor/external-id"
SEEN = 'requires the external ID "tenant-7" (sts:ExternalId); the request has no external ID'


def set_up(pod: Pod) -> None:
    pod.chain(ExternalId="tenant-7")
    pod.set(GCP_AWS_BRIDGE_CHAIN=NEAR)
