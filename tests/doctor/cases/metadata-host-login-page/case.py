from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/metadata-host"
SEEN = "HTTP 200"


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.html(), times=1)
    pod.set(GCE_METADATA_HOST=f"127.0.0.1:{pod.cloud.sts.port}")
