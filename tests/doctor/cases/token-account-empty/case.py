from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/no-service-account"
SAYS = "default/etl is linked to no Google"


def told(pod: Pod) -> None:
    pod.cloud.unlink()
    pod.cloud.metadata.inject(Fault.body("{}"), times=None, path="service-accounts/")
