from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-file"
SEEN = "does not exist"


def set_up(pod: Pod) -> None:
    found = pod.annotated(linked=False)
    (found.folder / "aws/token").unlink()
