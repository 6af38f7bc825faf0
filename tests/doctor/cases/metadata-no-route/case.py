from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/metadata-no-route"
SEEN = "unreachable; at [fd20:ce::254]: network is unreachable"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.metadata_at("192.0.2.1")  # a documentation address (RFC 5737), to which tests have no route
