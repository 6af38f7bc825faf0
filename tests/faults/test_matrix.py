"""Every case of the fault matrix over real HTTP, and its page."""

from __future__ import annotations

import sys

import botocore.session
import pytest
from botocore.exceptions import CredentialRetrievalError

import gcp_aws_bridge as bridge
from faults import matrix
from faults.__main__ import PAGE
from faults.drive import ROLE, Drive
from faults.outcomes import Life, Row, Server, Situation
from faults.page import page
from gcp_aws_bridge._sts.errors import RETRYABLE_CODES

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="a connection takes seconds there to be refused"
)
BY_NAME = {(row.server, row.name): row for row in matrix.ROWS}


def _cases() -> list[object]:
    return [
        pytest.param(
            row, situation, life, id=f"{row.server.name} {row.name}, {situation.value}, {life.name}"
        )
        for row in matrix.ROWS
        for situation in Situation
        for life in Life
    ]


@pytest.mark.sampled(11)
@pytest.mark.parametrize(("row", "situation", "life"), _cases())
def test_fault_has_the_outcome_of_the_table(
    drive: Drive, row: Row, situation: Situation, life: Life
) -> None:
    assert row.outcomes.of(situation, life) == drive.run(row, situation, life)


@pytest.mark.parametrize(("server", "name"), matrix.PERSISTENT, ids=str)
def test_callers_that_keep_trying_cause_few_requests(
    drive: Drive, server: Server, name: str
) -> None:
    credentials = bridge.credentials(ROLE)
    credentials.get_frozen_credentials()
    drive.time.advance(40 * 60)
    drive.inject(BY_NAME[server, name], Life.LASTS)
    ended_s = drive.seconds() + 600
    while drive.seconds() < ended_s:
        credentials.get_frozen_credentials()
        drive.time.advance(0.1)
    while_valid = drive.requested[server]

    drive.time.advance(3600)
    drive.requested[server] = 0
    ended_s = drive.seconds() + 60
    while drive.seconds() < ended_s:
        with pytest.raises(CredentialRetrievalError):
            credentials.get_frozen_credentials()
        drive.time.advance(0.1)
    assert matrix.PERSISTENT[server, name] == (drive.requested[server], while_valid)


def test_matrix_has_each_fault_for_both_servers() -> None:
    faults = [(server, name) for server in Server for name in matrix.FAULTS]
    assert faults == [(row.server, row.name) for row in matrix.METADATA_ROWS + matrix.STS_ROWS]


def test_matrix_has_each_code_of_sts_with_its_status() -> None:
    model = botocore.session.get_session().get_service_model("sts")
    errors = [
        shape.metadata["error"]
        for shape in model.operation_model("AssumeRoleWithWebIdentity").error_shapes
    ]
    assert 5 < len(errors)
    assert {(error["code"], error["httpStatusCode"]) for error in errors} <= matrix.CODES


def test_matrix_has_each_code_that_is_retried() -> None:
    assert {code for code, _ in matrix.CODES} >= RETRYABLE_CODES


@pytest.mark.skipif(not PAGE.parent.exists(), reason="not in a source checkout")
def test_page_has_this_table() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "python -m tests.faults writes it"
