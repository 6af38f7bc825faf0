from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/token-timeout"
SAYS = "gave nothing within"
WAITS = True


def told(pod: Pod) -> None:
    pod.set(**pod.cloud.key_file(pod.folder))
    pod.cloud.key_files.inject(Fault.hang(30), times=None)
