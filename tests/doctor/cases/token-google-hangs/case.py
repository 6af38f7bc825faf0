from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/token-timeout"
SAYS = "gave nothing within"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.issuer.inject(Fault.hang(30), times=None)
    pod.key_file("etl@demo-project.iam.gserviceaccount.com", token_uri=pod.cloud.issuer.url)
