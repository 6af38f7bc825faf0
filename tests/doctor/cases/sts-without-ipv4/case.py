from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-ipv4-only"
SEEN = "a route by IPv6 only"


def set_up(pod: Pod) -> None:
    dual_stack = "sts.us-east-1.api.aws"
    port = pod.tls_relay(pod.cloud.sts.url, dual_stack, "::1")
    pod.unset("AWS_ENDPOINT_URL_STS")
    # Documentation addresses (RFC 5737), to which tests have no route.
    pod.resolves("sts.us-east-1.amazonaws.com", ("192.0.2.1", 443))
    pod.resolves(dual_stack, ("192.0.2.2", 443), ("::1", port))
