from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/injected-file"
SEEN = "does not exist"


def set_up(workload: Workload) -> None:
    found = workload.annotated()
    (found.folder / "google/token").unlink()
