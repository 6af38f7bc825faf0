from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/not-google-cloud"
SAYS = "Amazon EC2's"


def told(pod: Pod) -> None:
    pod.elsewhere("m7i.large")
    answer = b"HTTP/1.1 401 Unauthorized\r\nServer: EC2ws\r\nContent-Length: 0\r\n\r\n"
    pod.metadata_at(pod.answering(answer))
