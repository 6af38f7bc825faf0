from __future__ import annotations

from doctor.pod import OTHER, ROLE, Pod

CAUSE = "exchange/chained-role"
SEEN = "by a request with no external ID"


def set_up(pod: Pod) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    condition = {"StringEquals": {"sts:ExternalId": "tenant-7"}}
    document = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
    pod.cloud.add_role(OTHER, document)
    pod.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    pod.arguments += ["--chain", OTHER]
