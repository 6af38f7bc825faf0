"""Messages and later attempts for which a row of the matrix is not enough."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from botocore.exceptions import CredentialRetrievalError
from fakes import START, ManualWorld, credentials

import gcp_aws_bridge as bridge
from faults import matrix
from faults.drive import ROLE, Drive
from faults.outcomes import Life, Row, Server
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.policy import RefreshPolicy
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import BridgeError

ROWS = {(row.server, row.name): row for row in matrix.ROWS}
DRIP = ROWS[Server.STS, "drips, a byte a second"]


def failure(drive: Drive, row: Row) -> BridgeError:
    drive.inject(row, Life.LASTS)
    with pytest.raises(CredentialRetrievalError) as caught:
        bridge.credentials(ROLE).get_frozen_credentials()
    assert isinstance(caught.value.__cause__, BridgeError)
    return caught.value.__cause__


def of_sts(fault: Fault) -> Row:
    return Row(Server.STS, "", fault, matrix.STS_ROWS[0].outcomes)


# -- messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["connection refused", "hangs"])
def test_error_without_a_metadata_server_names_the_likely_causes(drive: Drive, name: str) -> None:
    error = failure(drive, ROWS[Server.METADATA, name])
    assert "network policy" in error.fix
    assert "laptop" not in error.fix


def test_page_of_a_proxy_is_not_reported_as_an_error_of_sts(drive: Drive) -> None:
    error = failure(drive, ROWS[Server.STS, "403, a proxy's page"])
    assert "exchange/garbage" == error.error_id


@pytest.mark.parametrize("status", ["403", "429", "503"])
def test_status_of_an_answer_that_is_not_from_sts_is_shown(drive: Drive, status: str) -> None:
    assert f"HTTP {status}" in failure(drive, ROWS[Server.STS, status]).message


@pytest.mark.parametrize(
    ("code", "error_id"),
    [
        ("AccessDenied", "exchange/denied"),
        ("InvalidIdentityToken", "exchange/invalid-token"),
        ("ValidationError", "exchange/refused"),
    ],
)
def test_error_code_without_a_message_is_recognised(drive: Drive, code: str, error_id: str) -> None:
    assert error_id == failure(drive, of_sts(Fault.aws_error(code, ""))).error_id


def test_timeout_reported_by_sts_is_retried(drive: Drive) -> None:
    # AWS STS API reference, "Common errors"; botocore's standard retry mode retries it too.
    drive.inject(of_sts(Fault.aws_error("RequestTimeoutException", "slow", 408)), Life.PASSES)
    assert "" == drive.ask(bridge.credentials(ROLE)).error_id


# -- an exchange that does not end -------------------------------------------------------------


def test_caller_after_an_endless_answer_gets_credentials(drive: Drive) -> None:
    drive.inject(DRIP, Life.LASTS)
    assert DRIP.outcomes.lasts == drive.ask(bridge.credentials(ROLE))
    drive.inject(ROWS[Server.STS, "another content type"], Life.PASSES)
    drive.time.advance(15)  # the longest time that an error is kept
    assert "" == drive.ask(bridge.credentials(ROLE)).error_id


def test_abandoned_exchange_does_not_replace_a_later_one() -> None:
    manual = ManualWorld()
    answers = [
        credentials(2, START + timedelta(hours=2)),
        credentials(1, START + timedelta(hours=1)),
    ]
    world = manual.world._replace(monotonic=time.monotonic)
    cache = CredentialCache(lambda: answers.pop(0), policy=RefreshPolicy(wait_s=0.01), world=world)
    manual.hold = True
    with pytest.raises(BridgeError, match="exchange/timeout"):
        asyncio.run(cache.get_async())
    manual.hold = False
    later = cache.get()
    manual.release()  # the abandoned exchange succeeds after all
    assert later == cache.get()
