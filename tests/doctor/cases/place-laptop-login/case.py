from __future__ import annotations

import json

from doctor.pod import Pod

CAUSE = "token/google-kind"
SEEN = "no ID token for an audience"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud()
    login = {"type": "authorized_user", "client_id": "c", "refresh_token": "hunter2"}
    login["client_secret"] = "hunter2"
    pod.file("gcloud/application_default_credentials.json", json.dumps(login))
    pod.set(CLOUDSDK_CONFIG=str(pod.folder / "gcloud"))
