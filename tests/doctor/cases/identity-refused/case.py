from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/refused"
SAYS = "InvalidClientTokenId"


def told(pod: Pod) -> None:
    fault = Fault.aws_error("InvalidClientTokenId", "The security token is invalid", 403)
    pod.cloud.sts.inject(fault, times=None, when=lambda asked: "Authorization" in asked.headers)
