from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/metadata-host"
SAYS = "HTTP 200"


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.html(), times=1)
    pod.set(GCE_METADATA_HOST=f"127.0.0.1:{pod.cloud.sts.port}")
