from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-served"
SEEN = "rejects the authorization token"


def set_up(pod: Pod) -> None:
    (pod.annotated(linked=True).folder / "endpoint/token").write_text("another")
