"""The public API as a user's type checker sees it: checked by `nox -s typing`, never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import boto3
import botocore.session
import httpx
import requests

import gcp_aws_bridge as bridge
from gcp_aws_bridge import aio, google, testing
from gcp_aws_bridge.adapters import s3fs

ROLE = "arn:aws:iam::123456789012:role/etl"

session: boto3.Session = bridge.session(ROLE)
bridge.session()
bridge.session(
    ROLE,
    audience="aws:123456789012:etl",
    role_session_name="me",
    duration_seconds=900,
    region_name="eu-west-1",
    chain=["arn:aws:iam::210987654321:role/target"],
    policy={"Version": "2012-10-17", "Statement": []},
    policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    token_source=bridge.TokenFile("/var/run/secrets/aws/token"),
    botocore_session=botocore.session.get_session(),
)


def my_token() -> str:
    return "…"


source: bridge.TokenSource = my_token
bridge.register(session)
bridge.register(botocore.session.get_session(), ROLE, token_source=source)
bridge.install(bridge.Role(ROLE, chain=("arn:aws:iam::210987654321:role/target",)))
bridge.uninstall()

chained = bridge.ChainedRole(
    "arn:aws:iam::210987654321:role/reader",
    external_id="acme-42",
    tags={"tenant": "acme"},
    transitive_tag_keys=["tenant"],
    source_identity="etl",
    role_session_name="reader",
    duration_seconds=900,
    policy={"Version": "2012-10-17", "Statement": []},
    policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
)
tags: Mapping[str, str] | None = chained.tags
plain: list[str] = ["arn:aws:iam::210987654321:role/target"]
bridge.session(ROLE, chain=plain, sts_regions=("eu-west-1", "eu-central-1"))
bridge.session(ROLE, chain=[chained, "arn:aws:iam::333333333333:role/last"])
bridge.credentials(ROLE, chain=(chained,), sts_regions=["eu-west-1"])
role = bridge.Role(ROLE, chain=[chained], sts_regions=["eu-west-1"])
roles: Sequence[str | bridge.ChainedRole] = role.chain
arns: tuple[str, ...] = role.arns

frozen = bridge.credentials(ROLE, policy='{"Statement": []}', duration_seconds=900)
key: str | None = frozen.get_frozen_credentials().access_key

signer = bridge.signer(
    ROLE,
    service="execute-api",
    region="eu-west-1",
    hosts=["abc123.execute-api.eu-west-1.amazonaws.com"],
    chain=[chained],
)
bridge.signer(service="es", region="eu-west-1", hosts=("a.example",), token_source=source)
http = httpx.Client(auth=signer)
http.get("https://a.example", auth=signer)
http_of_asyncio = httpx.AsyncClient(auth=signer)
requests.get("https://a.example", auth=signer, timeout=30)
requests.Session().auth = signer

laptop = bridge.GoogleCredentials(impersonate="sa@project.iam.gserviceaccount.com")
bridge.session(ROLE, token_source=laptop)
bridge.session(ROLE, token_source=bridge.MetadataServer(deadline_s=5))


def narrow(error: bridge.exceptions.ExchangeError) -> tuple[str, str, bool]:
    return error.code, error.request_id, error.retryable


def value(credentials: bridge.AwsCredentials) -> datetime:
    return credentials.expiration


async def asynchronous() -> str | None:
    held = aio.session(ROLE, region_name="eu-west-1", audience="aws:123456789012:etl")
    aio.register(held, ROLE, token_source=source)
    aio.session(ROLE, chain=[chained], sts_regions=["eu-west-1"])
    whole = await aio.credentials(ROLE, duration_seconds=900).get_frozen_credentials()
    return whole.access_key


options: dict[str, object] = s3fs.options(ROLE, region_name="eu-west-1")


publisher: google.Credentials = google.credentials(
    "projects/1/locations/global/workloadIdentityPools/aws-pods/providers/publisher",
    service_account="publisher@my-project.iam.gserviceaccount.com",
    source="signed-request",
    session=session,
    lifetime_s=900,
    scopes=["https://www.googleapis.com/auth/pubsub"],
    quota_project_id="billed",
)
google.credentials()
google.credentials(google.Federation("projects/1/…"), source=google.OutboundToken())
google.credentials(source=my_token)
google.install()
google.install("//iam.googleapis.com/projects/1/…", service_account="me@x", lifetime_s=600)
google.uninstall()
google.credentials(source=bridge.TokenFile("/var/run/secrets/google/token"))
ids: google.IDTokenCredentials = google.id_token_credentials(
    "https://orders.a.run.app", service_account="caller@my-project.iam.gserviceaccount.com"
)
bearer: str | None = publisher.token


def in_a_pod(pod: testing.GkePod) -> int:
    pod.add_role(ROLE, audience="aws:123456789012:etl", max_session_duration=7200)
    with pod.sts_outage(), pod.metadata_outage(), pod.deny(ROLE):
        pod.advance(1800)
    return pod.exchanges + pod.metadata_requests


def in_eks(pod: testing.EksPod) -> int:
    pod.add_provider("projects/1/locations/global/workloadIdentityPools/aws/providers/eks")
    pod.add_service_account("a@b.iam.gserviceaccount.com", [pod.provider.principal_set()])
    pod.becomes(ROLE, how="irsa")
    with pod.google_sts_outage(), pod.iam_outage(), pod.agent_outage(), pod.deny():
        pod.advance(1800)
    return pod.exchanges + pod.impersonations + pod.agent_requests


with testing.eks_pod() as other:
    audience: str = other.provider.audience

with testing.gke_pod() as pod:
    began: datetime = pod.freeze()
