from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-tls"
SEEN = "match"


def set_up(pod: Pod) -> None:
    url = pod.tls(host="proxy.internal", trusted=True)
    pod.set(AWS_ENDPOINT_URL_STS=url, AWS_CA_BUNDLE=str(pod.folder / "authority.pem"))
