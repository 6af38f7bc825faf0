from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/refused"
SEEN = "InvalidClientTokenId"


def set_up(pod: Pod) -> None:
    fault = Fault.aws_error("InvalidClientTokenId", "The security token is invalid", 403)
    pod.cloud.sts.inject(fault, times=None, when=lambda request: "Authorization" in request.headers)
