from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-unreadable"
SEEN = "cannot be read by"


def set_up(pod: Pod) -> None:
    token = pod.annotated(linked=False).folder / "aws/token"
    token.unlink()
    token.mkdir()
