from __future__ import annotations

import json

from doctor.pod import ROLE, Pod

CAUSE = "doctor/not-the-role"
SEEN = "service or resource control policy"


def set_up(pod: Pod) -> None:
    document = json.dumps(pod.cloud.trust_policy_for())
    pod.iam().create_role(RoleName="etl", AssumeRolePolicyDocument=document)
    pod.cloud.add_role(ROLE, audience="another")
