from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/injected-credentials"
SEEN = "no longer has the annotation"


def set_up(workload: Workload) -> None:
    found = workload.annotated()
    (found.folder / "google/credentials.json").write_text("")
