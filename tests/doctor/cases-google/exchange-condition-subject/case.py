from __future__ import annotations

from doctor.workload import Workload

NAMED = "exchange/google-condition"
SAYS = "system:serviceaccount:default:etl"


def told(at: Workload) -> None:
    at.oidc_provider(attribute_condition="assertion.sub == 'system:serviceaccount:prod:etl'")
    at.token_file()
