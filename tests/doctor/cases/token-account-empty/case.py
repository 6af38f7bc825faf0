from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/no-service-account"
SEEN = "default/etl is linked to no Google"


def set_up(pod: Pod) -> None:
    pod.cloud.unlink()
    pod.cloud.metadata.inject(Fault.body("{}"), times=None, path="service-accounts/")
