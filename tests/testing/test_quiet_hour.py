"""Credentials that are taken away: what a caller gets after a quiet hour."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError

import gcp_aws_bridge as bridge
from gcp_aws_bridge.testing import GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"


def left_s(credentials: Any, pod: GkePod) -> float:
    credentials.get_frozen_credentials()
    return float((credentials._expiry_time - pod.now).total_seconds())


@pytest.mark.parametrize("minutes", [50.1, 55, 59, 59.7, 59.84, 120])
def test_the_next_url_has_its_whole_life_before_it(gke_pod: GkePod, minutes: float) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    credentials.get_frozen_credentials()
    gke_pod.advance(minutes * 60)
    assert left_s(credentials, gke_pod) > 3590
    assert 2 == gke_pod.exchanges


@pytest.mark.parametrize(("at_least", "exchanges"), [(1700, 1), (1900, 2), (9000, 2)])
def test_a_caller_who_says_how_long_it_needs_them(
    gke_pod: GkePod, at_least: int, exchanges: int
) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    credentials.get_frozen_credentials()
    gke_pod.advance(1790)  # a refresh is due after 1800
    credentials.get_frozen_credentials(at_least=at_least)
    assert exchanges == gke_pod.exchanges
    credentials.get_frozen_credentials(at_least=at_least)
    assert exchanges == gke_pod.exchanges


def test_who_needs_more_than_there_is_hears_of_an_outage(gke_pod: GkePod) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    credentials.get_frozen_credentials()
    gke_pod.advance(1790)
    with gke_pod.sts_outage():
        with pytest.raises(CredentialRetrievalError, match="STS"):
            credentials.get_frozen_credentials(at_least=1900)
        assert 1800 < left_s(credentials, gke_pod)


def test_in_an_outage_what_is_valid_is_served(gke_pod: GkePod) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    credentials.get_frozen_credentials()
    gke_pod.advance(55 * 60)
    with gke_pod.sts_outage():
        for _ in range(3):
            assert 290 < left_s(credentials, gke_pod) <= 300
