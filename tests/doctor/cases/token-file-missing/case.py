from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/file-missing"
SEEN = "does not exist"


def set_up(pod: Pod) -> None:
    pod.arguments += ["--id-token-file", str(pod.folder / "nowhere")]
