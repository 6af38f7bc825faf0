from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-binding"
SAYS = "getAccessToken"


def told(at: Workload) -> None:
    at.account()
