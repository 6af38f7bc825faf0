from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-condition"
SEEN = "system:serviceaccount:default:etl"


def set_up(workload: Workload) -> None:
    workload.oidc_provider(attribute_condition="assertion.sub == 'system:serviceaccount:prod:etl'")
    workload.token_file()
