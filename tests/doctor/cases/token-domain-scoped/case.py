from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/no-service-account"
SEEN = 'answers "demo-project.example.com.svc.id.goog" for its e-mail'


def set_up(pod: Pod) -> None:
    message = (
        "Unable to generate identity token; IAM returned 404 Not Found: Not found; Gaia id not "
        "found for email demo-project.example.com.svc.id.goog"
    )
    pod.cloud.metadata.inject(Fault.status(404, message), times=None, path="identity")
    pod.cloud.metadata.inject(Fault.body("{}"), times=None, path="service-accounts/")
    pod.cloud.metadata.inject(Fault.body("example.com:demo-project"), times=None, path="project-id")
