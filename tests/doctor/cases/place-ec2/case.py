from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/not-google-cloud"
SEEN = "Amazon EC2's"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud("m7i.large")
    answer = b"HTTP/1.1 401 Unauthorized\r\nServer: EC2ws\r\nContent-Length: 0\r\n\r\n"
    pod.metadata_at(pod.answering(answer))
