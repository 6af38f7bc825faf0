from __future__ import annotations

import json

from doctor.pod import ROLE, Pod

CAUSE = "doctor/role-arn"
SEEN = "role/team/etl"


def set_up(pod: Pod) -> None:
    document = json.dumps(pod.cloud.trust_policy_for())
    pod.iam().create_role(RoleName="etl", Path="/team/", AssumeRolePolicyDocument=document)
    pod.cloud.remove_role(ROLE)
    pod.cloud.add_role(ROLE.replace("/etl", "/team/etl"))
