"""The interpreter of printed commands finds mistakes in them."""

from __future__ import annotations

import os

import pytest

from . import fixing
from .pod import OTHER, ROLE, Pod

BIND = "gcloud iam service-accounts add-iam-policy-binding etl@p.iam.gserviceaccount.com "


@pytest.mark.parametrize(
    "fix",
    [
        "gcloud iam service-accounts bind x",
        "kubectl patch serviceaccount etl",
        "aws iam delete-role --role-name etl",
        # The cluster's pool is another one; the role is another one.
        f"{BIND}--project=p --role=roles/iam.workloadIdentityUser --member='serviceAccount:x[a/b]'",
        f"{BIND}--project=p --role=roles/viewer --member=x",
        # Text for the reader only.
        "look at the network",
        "kubectl get pods",
    ],
)
def test_command_that_changes_nothing_or_the_wrong_thing_fails(fix: str, pod: Pod) -> None:
    pod.cloud.unlink()
    with pytest.raises(AssertionError):
        fixing.apply(pod, "", {"id": "doctor/unknown", "fix": fix, "wanted": ""})
    assert not pod.cloud.metadata.linked


@pytest.mark.parametrize(
    "fix",
    [
        'aws iam update-assume-role-policy --role-name etl --policy-document {"Statement": []}',
        "aws iam update-assume-role-policy --role-name etl --policy-document '{}",
    ],
)
def test_quoting_mistake_fails(fix: str, pod: Pod) -> None:
    with pytest.raises((AssertionError, ValueError)):
        fixing.apply(pod, "", {"id": "doctor/unknown", "fix": fix, "wanted": ""})


INCOMPLETE = [
    # The address of the metadata server, its port, the server.
    ("doctor/metadata-blocked", "allow egress to the metadata server"),
    ("doctor/metadata-blocked", "allow egress to 169.254.169.254/32 port 443"),
    ("doctor/metadata-closed", "look at the node's pods"),
    # Another host, or none.
    ("doctor/sts-blocked", "allow egress to port 443 of example.com"),
    ("doctor/sts-blocked", "allow egress to STS"),
    ("doctor/sts-silent", "let it pass the firewall or proxy: port 443 of 10.0.0.1"),
    ("doctor/sts-proxy", "look at the proxy"),
    ("doctor/sts-tls", "look at the certificate"),
    # A variable or its value.
    ("config/duration", "give 900 or more"),
    ("config/role-arn", "give a role ARN, by argument, GCP_AWS_BRIDGE_ROLE_ARN"),
    ("config/profile", "look at the files in ~/.aws"),
    ("doctor/config-file", "correct the file"),
    # One side of two.
    ("exchange/chained-role", f"allow sts:AssumeRole on {OTHER} in the permissions of {ROLE}."),
]


@pytest.mark.parametrize(("finding_id", "fix"), INCOMPLETE)
def test_fix_that_does_not_name_what_to_change_fails(finding_id: str, fix: str, pod: Pod) -> None:
    before, arguments = dict(os.environ), [*pod.arguments]
    finding = {"id": finding_id, "link": "sts", "seen": "", "fix": fix, "wanted": ""}
    with pytest.raises(AssertionError):
        fixing.apply(pod, "", finding)
    assert (before, arguments) == (dict(os.environ), pod.arguments)


def test_value_is_the_one_that_is_printed(pod: Pod) -> None:
    fix = "set GCP_AWS_BRIDGE_DURATION_SECONDS to 1234 or more"
    fixing.apply(pod, "", {"id": "config/duration", "fix": fix, "seen": "", "wanted": ""})
    assert "1234" == os.environ["GCP_AWS_BRIDGE_DURATION_SECONDS"]
