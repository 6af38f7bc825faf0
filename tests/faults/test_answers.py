"""What is to be read, and what is to be had, where a row of the matrix does not say enough."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from botocore.exceptions import CredentialRetrievalError
from fakes import START, ManualWorld, credentials, eventually

import gcp_aws_bridge as bridge
from faults import matrix
from faults.drive import ROLE, Drive
from faults.outcomes import UNDER_WAY, Life, Row, Server, Situation
from gcp_aws_bridge._cell import Cell
from gcp_aws_bridge._refresh import POLICY
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import BridgeError

ROWS = {(row.server, row.name): row for row in matrix.ROWS}
DRIP = ROWS[Server.STS, "drips, a byte a second"]


def failure(drive: Drive, row: Row) -> BridgeError:
    drive.spoil(row, Life.LASTS)
    with pytest.raises(CredentialRetrievalError) as caught:
        bridge.credentials(ROLE).get_frozen_credentials()
    assert isinstance(caught.value.__cause__, BridgeError)
    return caught.value.__cause__


def of_sts(fault: Fault) -> Row:
    return Row(Server.STS, "", fault, matrix.STS_ROWS[0].outcomes)


# -- messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["connection refused", "hangs"])
def test_pod_without_its_metadata_server_is_told_where_to_look(drive: Drive, name: str) -> None:
    error = failure(drive, ROWS[Server.METADATA, name])
    assert "network policy" in error.fix
    assert "laptop" not in error.fix


def test_page_of_a_proxy_is_not_taken_for_a_refusal_by_sts(drive: Drive) -> None:
    error = failure(drive, ROWS[Server.STS, "403, a proxy's page"])
    assert "exchange/garbage" == error.error_id


@pytest.mark.parametrize("status", ["403", "429", "503"])
def test_status_of_what_is_not_sts_is_said(drive: Drive, status: str) -> None:
    assert f"HTTP {status}" in str(failure(drive, ROWS[Server.STS, status]))


@pytest.mark.parametrize(
    ("code", "error_id"),
    [
        ("AccessDenied", "exchange/denied"),
        ("InvalidIdentityToken", "exchange/invalid-token"),
        ("ValidationError", "exchange/refused"),
    ],
)
def test_refusal_without_words_is_still_that_refusal(
    drive: Drive, code: str, error_id: str
) -> None:
    assert error_id == failure(drive, of_sts(Fault.aws_error(code, ""))).error_id


def test_timeout_on_the_side_of_sts_is_tried_again(drive: Drive) -> None:
    # AWS STS API reference, "Common errors"; botocore's standard retry mode tries it again, too.
    drive.spoil(of_sts(Fault.aws_error("RequestTimeoutException", "slow", 408)), Life.PASSES)
    assert "" == drive.ask(bridge.credentials(ROLE)).error_id


# -- an exchange that does not end -------------------------------------------------------------


def test_whoever_comes_after_a_wait_in_vain_is_served(drive: Drive) -> None:
    assert DRIP.outcomes.passes == drive.run(DRIP, Situation.FIRST, Life.PASSES)
    assert "" == drive.ask(bridge.credentials(ROLE)).error_id


def test_refresh_that_does_not_end_costs_nobody_what_can_be_had(drive: Drive) -> None:
    assert UNDER_WAY == drive.run(DRIP, Situation.VALID, Life.PASSES)
    drive.time.advance(3600)  # STS has long been well again
    assert "" == drive.ask(bridge.credentials(ROLE)).error_id


def test_refresh_that_does_not_end_is_followed_by_another_in_time(
    drive: Drive,
) -> None:
    assert UNDER_WAY == drive.run(DRIP, Situation.VALID, Life.PASSES)
    old = bridge.credentials(ROLE).access_key
    drive.time.advance(POLICY.wait_s - 1)
    assert old == bridge.credentials(ROLE).access_key
    assert 1 == drive.asked[Server.STS]
    drive.time.advance(3)  # the longest pause after it was given up
    assert old == bridge.credentials(ROLE).access_key  # who starts it does not wait for it
    eventually(lambda: bridge.credentials(ROLE).access_key != old)
    assert 2 == drive.asked[Server.STS]


def test_exchange_that_was_given_up_does_not_replace_a_later_one() -> None:
    manual = ManualWorld()
    answers = [
        credentials(2, START + timedelta(hours=2)),
        credentials(1, START + timedelta(hours=1)),
    ]
    world = manual.world._replace(monotonic=time.monotonic)
    cell = Cell(lambda: answers.pop(0), policy=POLICY._replace(wait_s=0.01), world=world)
    manual.hold = True
    with pytest.raises(BridgeError, match="exchange/timeout"):
        cell.get()
    manual.hold = False
    later = cell.get()
    manual.release()  # the one that was given up lands after all
    assert later == cell.get()
