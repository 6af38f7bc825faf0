from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/token-timeout"
SEEN = "returned nothing within"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.set(**pod.cloud.key_file(pod.folder))
    pod.cloud.key_files.inject(Fault.hang(30), times=None)
