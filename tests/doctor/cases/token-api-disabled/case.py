from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/metadata-refused"
SEEN = "has not been used in project demo-project"


def set_up(pod: Pod) -> None:
    message = (
        "Unable to generate identity token; IAM returned 403 Forbidden: IAM Service Account "
        "Credentials API has not been used in project demo-project before or it is disabled."
    )
    pod.cloud.metadata.inject(Fault.status(403, message), times=None, path="identity")
