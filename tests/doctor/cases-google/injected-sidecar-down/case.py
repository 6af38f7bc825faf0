from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/injected-sidecar"
SEEN = "nothing listens on 127.0.0.1"


def set_up(workload: Workload) -> None:
    workload.annotated(method="google-serve").stop_sidecar()
