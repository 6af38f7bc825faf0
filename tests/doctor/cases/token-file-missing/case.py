from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/file-missing"
SAYS = "does not exist"


def told(pod: Pod) -> None:
    pod.arguments += ["--id-token-file", str(pod.folder / "nowhere")]
