"""Tracers around all kinds of exchanges: the trace that they belong to, and no secret in it.

The fixture `recorder` searches everything that was recorded for secrets, after each test.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import botocore.exceptions
import pytest
from google.auth.exceptions import GoogleAuthError
from tracers.recorders import Recorder

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.testing import EksPod, GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"
NEXT = "arn:aws:iam::123456789012:role/next"
ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"
HALF_AN_HOUR_S = 2400


lifetime_s = itertools.count(900).__next__  # a different lifetime is a different credential cache


def exchanges(recorder: Recorder) -> list[str]:
    """Return the traces of all exchanges, one for each span of an exchange."""
    return [span.trace for span in recorder.spans if span.is_exchange]


def caller_arn(session: Any) -> str:
    client = session.client("sts", region_name="us-east-1")
    try:
        arn: str = client.get_caller_identity()["Arn"]
        return arn
    finally:
        client.close()


# -- AWS, threads --------------------------------------------------------------------------------


def test_exchange_belongs_to_the_trace_of_the_caller_that_waits(
    gke_pod: GkePod, recorder: Recorder
) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    with recorder.request() as trace:
        credentials.get_frozen_credentials()
    assert 1 == gke_pod.exchanges
    assert {trace} == {*exchanges(recorder)}


def test_refresh_in_the_background_belongs_to_no_trace_of_a_caller(
    gke_pod: GkePod, recorder: Recorder
) -> None:
    gke_pod.add_role(ROLE)
    session = bridge.session(ROLE, region_name="us-east-1")
    with recorder.request() as first:
        assert ":assumed-role/etl/" in caller_arn(session)  # making the client starts the exchange
    assert {first} == {*exchanges(recorder)}
    gke_pod.advance(HALF_AN_HOUR_S)
    before = len(exchanges(recorder))
    with recorder.request() as second:
        session.get_credentials().get_frozen_credentials()
        gke_pod.settle()
    assert 2 == gke_pod.exchanges
    assert {first, second}.isdisjoint(exchanges(recorder)[before:])


def test_refresh_that_a_caller_waits_for_is_in_its_trace(
    gke_pod: GkePod, recorder: Recorder
) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    with recorder.request():
        credentials.get_frozen_credentials()
    gke_pod.advance(3540)  # a minute is left: the caller waits for up to a second
    with recorder.request() as trace:
        credentials.get_frozen_credentials()
        gke_pod.settle()
    assert 2 == gke_pod.exchanges
    assert trace in exchanges(recorder)


def test_chained_roles_are_traced_without_their_keys(gke_pod: GkePod, recorder: Recorder) -> None:
    gke_pod.add_role(ROLE)
    gke_pod.add_role(
        NEXT,
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
            ],
        },
    )
    with recorder.request() as trace:
        bridge.credentials(ROLE, chain=[NEXT]).get_frozen_credentials()
    assert {trace} == {*exchanges(recorder)}


def test_unreadable_answer_is_not_recorded(gke_pod: GkePod, recorder: Recorder) -> None:
    gke_pod.add_role(ROLE)
    gke_pod.freeze()  # pauses between attempts take no time
    secret = "secret-access-key" * 3
    cut_short = f"<AssumeRoleWithWebIdentityResponse><SecretAccessKey>{secret}"
    for status in (200, 503):
        gke_pod.cloud.sts.inject(Fault.status(status, cut_short, "text/xml"), times=None)
        credentials = bridge.credentials(ROLE, role_session_name=f"answer-{status}")
        with recorder.request(), pytest.raises(botocore.exceptions.CredentialRetrievalError):
            credentials.get_frozen_credentials()
        gke_pod.cloud.sts.clear_faults()
    assert [] == [span for span in recorder.spans if secret in span.text]


def test_failed_exchanges_are_traced_without_the_token(gke_pod: GkePod, recorder: Recorder) -> None:
    gke_pod.add_role(ROLE)
    gke_pod.freeze()
    troubles = [lambda: gke_pod.deny(ROLE), gke_pod.sts_outage, gke_pod.metadata_outage]
    for number, trouble in enumerate(troubles):
        other = bridge.credentials(ROLE, role_session_name=f"number-{number}")
        failing = pytest.raises(botocore.exceptions.CredentialRetrievalError)
        with trouble(), recorder.request(), failing:
            other.get_frozen_credentials()


# -- AWS, tasks ----------------------------------------------------------------------------------


def run(recorder: Recorder, work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        recorder.use_tasks()
        return await work()

    return asyncio.run(main())


def test_exchange_belongs_to_the_trace_of_the_task_that_waits(
    gke_pod: GkePod, recorder: Recorder
) -> None:
    aio = pytest.importorskip("gcp_aws_bridge.aio")
    gke_pod.add_role(ROLE)

    async def work() -> str:
        with recorder.request() as trace:
            session = aio.session(ROLE, region_name="us-east-1")
            async with session.create_client("sts") as client:
                assert ":assumed-role/etl/" in (await client.get_caller_identity())["Arn"]
        return trace

    trace = run(recorder, work)
    assert 1 == gke_pod.exchanges
    assert trace in exchanges(recorder)


def test_refresh_in_the_background_belongs_to_no_trace_of_a_task(
    gke_pod: GkePod, recorder: Recorder
) -> None:
    aio = pytest.importorskip("gcp_aws_bridge.aio")
    gke_pod.add_role(ROLE)

    async def work() -> tuple[str, str]:
        with recorder.request() as first:
            credentials = await aio.session(ROLE, region_name="us-east-1").get_credentials()
            await credentials.get_frozen_credentials()
        gke_pod.advance(HALF_AN_HOUR_S)
        with recorder.request() as second:
            await credentials.get_frozen_credentials()
            gke_pod.settle()
        return first, second

    first, second = run(recorder, work)
    assert 2 == gke_pod.exchanges
    assert first in exchanges(recorder)
    assert second not in exchanges(recorder)


# -- Google --------------------------------------------------------------------------------------


def test_exchange_with_google_belongs_to_the_trace_of_the_caller(
    eks_pod: EksPod, recorder: Recorder
) -> None:
    eks_pod.add_service_account(ACCOUNT)
    credentials = google.credentials(service_account=ACCOUNT)
    with recorder.request() as trace:
        credentials.before_request(None, "GET", "https://example.com/", {})
    assert 1 == eks_pod.exchanges
    assert {trace} == {*exchanges(recorder)}


def test_background_refresh_of_google_tokens_belongs_to_no_trace_of_a_caller(
    eks_pod: EksPod, recorder: Recorder
) -> None:
    eks_pod.add_service_account(ACCOUNT)
    credentials = google.credentials(service_account=ACCOUNT)
    with recorder.request() as first:
        credentials.before_request(None, "GET", "https://example.com/", {})
    eks_pod.advance(HALF_AN_HOUR_S)
    before = len(exchanges(recorder))
    with recorder.request() as second:
        credentials.before_request(None, "GET", "https://example.com/", {})
        eks_pod.settle()
    assert 2 == eks_pod.impersonations
    assert {first, second}.isdisjoint(exchanges(recorder)[before:])


def test_exchange_with_irsa_keys_is_traced_without_the_token_of_the_pod(
    eks_pod: EksPod, recorder: Recorder
) -> None:
    eks_pod.becomes(eks_pod.role_arn, how="irsa")
    eks_pod.add_service_account(ACCOUNT)
    with recorder.request() as trace:
        headers: dict[str, str] = {}
        google.credentials(service_account=ACCOUNT).before_request(None, "GET", "", headers)
    assert headers["authorization"]
    assert {trace} == {*exchanges(recorder)}


def test_malformed_answer_of_google_is_traced_without_tokens(
    eks_pod: EksPod, recorder: Recorder
) -> None:
    eks_pod.add_service_account(ACCOUNT)
    eks_pod.freeze()
    cloud = eks_pod.cloud
    for service in (cloud.google_sts, cloud.iam_credentials):
        for fault in (Fault.status(403, "{"), Fault.reset()):
            service.inject(fault, times=None)
            credentials = google.credentials(service_account=ACCOUNT, lifetime_s=lifetime_s())
            with recorder.request(), pytest.raises(GoogleAuthError):
                credentials.before_request(None, "GET", "", {})
            service.clear_faults()
