from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/no-service-account"
SAYS = 'calls it "demo-project.example.com.svc.id.goog"'


def told(pod: Pod) -> None:
    said = (
        "Unable to generate identity token; IAM returned 404 Not Found: Not found; Gaia id not "
        "found for email demo-project.example.com.svc.id.goog"
    )
    pod.cloud.metadata.inject(Fault.status(404, said), times=None, path="identity")
    pod.cloud.metadata.inject(Fault.body("{}"), times=None, path="service-accounts/")
    pod.cloud.metadata.inject(Fault.body("example.com:demo-project"), times=None, path="project-id")
