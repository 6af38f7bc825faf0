from __future__ import annotations

from doctor.pod import NEAR, Pod

CAUSE = "doctor/external-id"
SEEN = 'the request has the external ID "tenant-8"'


def set_up(pod: Pod) -> None:
    pod.chain("--chain", NEAR, "--external-id", "tenant-8", ExternalId="tenant-7")
