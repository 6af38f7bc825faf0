from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-source"
SEEN = "neither AWS's, nor a file"


def set_up(workload: Workload) -> None:
    workload.google_file(
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        credential_source={"executable": {"command": "/bin/print-token"}},
    )
