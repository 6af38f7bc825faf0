from __future__ import annotations

from doctor.pod import ROLE, Pod

CAUSE = "exchange/denied"
SEEN = "iam:GetRole was denied"


def set_up(pod: Pod) -> None:
    pod.cloud.remove_role(ROLE)
    answer = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(answer)
    pod.set(AWS_ENDPOINT_URL_IAM=f"http://{pod.answering(head + answer)}")
    pod.aws_config("[default]\naws_access_key_id = AKIAREADER\naws_secret_access_key = hunter2\n")
