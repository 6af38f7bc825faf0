from __future__ import annotations

from doctor.pod import OTHER, ROLE, Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/chain-permission"
SEEN = "no identity-based policy allows sts:TagSession"


def set_up(pod: Pod) -> None:
    admitted = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:*"}
    pod.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [admitted]})
    pod.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    pod.arguments += ["--chain", OTHER, "--tag", "tenant=seven"]
    session = f"arn:aws:sts::123456789012:assumed-role/etl/{'pod-' * 12}"
    words = f"User: {session} is not authorized to perform: sts:TagSession on resource: {OTHER}"
    words += " because no identity-based policy allows the sts:TagSession action"
    fault = Fault.aws_error("AccessDenied", words, 403)
    pod.cloud.sts.inject(fault, times=None, action="AssumeRole")
