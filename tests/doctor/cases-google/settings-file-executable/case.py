from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-source"
SAYS = "neither AWS's, nor a file"


def told(at: Workload) -> None:
    at.google_file(
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        credential_source={"executable": {"command": "/bin/print-token"}},
    )
