"""Reviews: which bodies are read, and what the API server gets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from webhooks import POD, SECRET, UID, review

from gcp_aws_bridge.webhook import review as reviews
from gcp_aws_bridge.webhook.review import Malformed, Review


def read(document: Any) -> Review:
    return reviews.read(json.dumps(document).encode())


def response(body: bytes) -> Any:
    document = json.loads(body)
    assert "admission.k8s.io/v1" == document["apiVersion"]
    assert "AdmissionReview" == document["kind"]
    return document["response"]


def test_review_contains_the_created_pod() -> None:
    found = read(review())
    assert (POD, "data", "etl-", "etl", False) == (
        found.pod,
        found.namespace,
        found.name,
        found.account,
        found.dry_run,
    )
    assert read(review(dryRun=True)).dry_run


def test_name_and_account_of_the_pod_are_read() -> None:
    pod = {"metadata": {"name": "etl"}, "spec": {"serviceAccountName": "runner"}}
    found = read(review(object=pod))
    assert ("etl", "runner") == (found.name, found.account)
    empty = read(review(object={"metadata": None, "spec": {"serviceAccountName": ""}}))
    assert ("", "default") == (empty.name, empty.account)


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE", "object": None},
        {"operation": "CONNECT"},
        {"operation": ...},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"kind": {"group": "", "version": "v2", "kind": "Pod"}},
        {"kind": {"group": "", "version": "v1", "kind": "Binding"}, "subResource": "binding"},
        {"kind": {"group": "", "version": "v1", "kind": "Pod"}, "subResource": "eviction"},
        {"kind": ...},
    ],
    ids=str,
)
def test_review_of_another_request_has_no_pod(changes: dict[str, Any]) -> None:
    assert read(review(**changes)).pod is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"5", "not a JSON object"),
        (b"{}", 'the body is "None" of "None"'),
        (json.dumps({**review(), "kind": "Pod"}).encode(), 'the body is "Pod"'),
        (
            json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
            'set admissionReviewVersions of the MutatingWebhookConfiguration to ["v1"]',
        ),
        (json.dumps({**review(), "request": None}).encode(), "no request with a uid"),
        (json.dumps(review(uid=...)).encode(), "no request with a uid"),
        (json.dumps(review(uid=5)).encode(), "no request with a uid"),
        (json.dumps(review(object=[SECRET])).encode(), "not a pod"),
        (json.dumps(review(object=SECRET)).encode(), "not a pod"),
        (json.dumps(review(object=None)).encode(), "not a pod"),
    ],
)
def test_malformed_body_is_an_error_that_does_not_quote_the_pod(body: bytes, problem: str) -> None:
    with pytest.raises(Malformed) as caught:
        reviews.read(body)
    assert problem in str(caught.value)
    assert SECRET not in str(caught.value)


def test_response_has_the_uid_and_the_patch() -> None:
    patch = ({"op": "add", "path": "/spec/volumes", "value": [{"name": "é"}]},)
    found = response(reviews.allowed(read(review()), patch, ("one", "two")))
    assert patch == tuple(json.loads(base64.b64decode(found.pop("patch"))))
    assert found == {
        "uid": UID,
        "allowed": True,
        "patchType": "JSONPatch",
        "warnings": ["gcp-aws-bridge: one", "gcp-aws-bridge: two"],
    }


def test_response_without_a_patch_has_no_patch_type() -> None:
    """The API server rejects a response with one and without the other."""
    assert {"uid", "allowed"} == response(reviews.allowed(read(review()))).keys()


def test_warning_is_one_short_line() -> None:
    text = "a\r\nb\x00" + "c d " * 200
    [warning] = response(reviews.allowed(read(review()), (), (text,)))["warnings"]
    assert warning.startswith("gcp-aws-bridge: a b?c d c")
    assert 256 == len(warning)


def test_denial_has_code_reason_and_message() -> None:
    assert response(reviews.denied(read(review()), 403, "Why.")) == {
        "uid": UID,
        "allowed": False,
        "status": {"status": "Failure", "message": "Why.", "reason": "Forbidden", "code": 403},
    }


def test_repr_of_a_review_does_not_show_its_pod() -> None:
    assert SECRET not in f"{read(review())!r} {read(review())}"
