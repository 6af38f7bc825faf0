"""Reads and writes AdmissionReview objects of admission.k8s.io/v1.

See: Kubernetes, "Dynamic Admission Control", sections "Request" and "Response".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge.exceptions import quoted

_VERSION, _KIND = "admission.k8s.io/v1", "AdmissionReview"
_POD = {"group": "", "version": "v1", "kind": "Pod"}
_REASONS = {403: "Forbidden", 503: "ServiceUnavailable"}  # apimachinery, metav1.StatusReason


class Malformed(Exception):
    """The body is not a review that this webhook can answer. The text never quotes the pod."""


class Review(SecretValue):
    """Request of an AdmissionReview. The variables of its pod may be secrets.

    Attributes:
        uid: Id, which the response must repeat.
        namespace: Namespace of the request. `metadata.namespace` of the pod may be empty.
        pod: The pod to create. None: the request does not create a pod.
        dry_run: Whether the API server will discard the pod.
    """

    __slots__ = ("dry_run", "namespace", "pod", "uid")

    uid: str
    namespace: str
    pod: Mapping[str, Any] | None
    dry_run: bool

    def __init__(
        self, uid: str, namespace: str, pod: Mapping[str, Any] | None, dry_run: bool
    ) -> None:
        self._set(uid=uid, namespace=namespace, pod=pod, dry_run=dry_run)

    def __repr__(self) -> str:
        return f"<Review {self.uid}>"

    @property
    def name(self) -> str:
        """The pod's name, or the prefix from which the API server generates it."""
        metadata = (self.pod or {}).get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def account(self) -> str:
        """The pod's service account."""
        spec = (self.pod or {}).get("spec") or {}
        # Kubernetes, "Configure Service Accounts for Pods": the account of pods that name none.
        return str(spec.get("serviceAccountName") or "default")


def read(body: bytes) -> Review:
    """Return the review in the body of a request.

    Raises:
        Malformed: The body is not a review, or has an unsupported version.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("the body is not a JSON object")
    found = (document.get("apiVersion"), document.get("kind"))
    if found != (_VERSION, _KIND):
        raise Malformed(
            f"the body is {quoted(found[1])} of {quoted(found[0])}: set admissionReviewVersions "
            f'of the MutatingWebhookConfiguration to ["v1"], for {_KIND} of {_VERSION}'
        )
    request = document.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise Malformed("the review has no request with a uid")
    creates_pod = _creates_pod(request)
    pod = request.get("object") if creates_pod else None
    if creates_pod and not isinstance(pod, dict):
        raise Malformed("the object of the request is not a pod")
    return Review(
        request["uid"], str(request.get("namespace") or ""), pod, request.get("dryRun") is True
    )


def allowed(
    review: Review, patch: Sequence[Mapping[str, Any]] = (), warnings: Sequence[str] = ()
) -> bytes:
    """Return the response that admits the pod with *patch*."""
    response: dict[str, Any] = {"uid": review.uid, "allowed": True}
    if patch:
        text = json.dumps(patch, separators=(",", ":"))
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(text.encode()).decode()}
    if warnings:
        # The API server sends them in HTTP headers.
        response["warnings"] = [quoted(f"gcp-aws-bridge: {one}", 256)[1:-1] for one in warnings]
    return _written(response)


def denied(review: Review, code: int, message: str) -> bytes:
    """Return the response that denies the pod.

    Args:
        review: The request.
        code: HTTP status that the client gets from the API server.
        message: Text that follows `admission webhook "..." denied the request:`.
    """
    status = {"status": "Failure", "message": message, "reason": _REASONS[code], "code": code}
    return _written({"uid": review.uid, "allowed": False, "status": status})


def _creates_pod(request: Mapping[str, Any]) -> bool:
    return (
        request.get("operation") == "CREATE"
        and request.get("kind") == _POD
        and not request.get("subResource")
    )


def _written(response: Mapping[str, Any]) -> bytes:
    review = {"apiVersion": _VERSION, "kind": _KIND, "response": response}
    return json.dumps(review, separators=(",", ":")).encode()
