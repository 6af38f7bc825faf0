"""The fault matrix as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .matrix import CODE_ROWS, METADATA_ROWS, PERSISTENT, STS_ROWS
from .outcomes import Life, Outcome, Row, Situation

_INTRO = """\
# Faults

The effect of each fault of the metadata server and of STS. `python -m tests.faults` writes this
page from the table that `pytest tests/faults` compares with the library: over HTTP, with a clock
that moves when the library sleeps or waits for an answer that does not come. Times are therefore
exact, with every random pause in the middle of its range.

- **It lasts**: until the library gives up. **It passes**: after one request.
- **Nothing valid**, before the first credentials or after expiry: the caller waits, for fresh
  credentials or for an error. The table says which, after how many requests to this server, and how
  many seconds. Further callers get the same error for the next one or two seconds, and for up to
  15 s after some failures in a row.
- **While valid**: the caller always gets the old credentials immediately. The table has the outcome
  of the refresh in the background. If that fails, the next attempt starts with the first caller
  after 1 to 2 s (1.5 here), then after up to 4, 8, … 60 s.
- A user of boto3 sees botocore's `CredentialRetrievalError`. Its `__cause__` has the id: a
  `TokenUnavailable` for `token/none`, a `TokenError` for other ids of `token/`, an `ExchangeError`
  for `exchange/`. [Errors](errors.md) has the fix for each.
"""
_METADATA = """\
## The metadata server

The library requests a token for up to 20 s, 5 s at a time, while the server may still be starting.
Without a token nothing is sent to STS.
"""
_STS = """\
## STS: the network and the answer

A caller with nothing valid gets up to four attempts, each with its own token and 10 s for the next
part of the answer; a refresh in the background makes one attempt.
"""
_CODES = """\
## STS: error codes
"""
_PERSISTENT = """\
## Callers that keep trying

Requests of one process whose callers try ten times a second while the fault lasts.

| server | fault | with nothing valid, in a minute | while valid, in ten minutes |
|---|---|---|---|
"""
_HEAD = """\
| fault | nothing valid: it lasts | it passes | refresh while valid: it lasts | it passes |
|---|---|---|---|---|
"""


def page() -> str:
    sections = (
        _INTRO,
        _table(_METADATA, METADATA_ROWS),
        _table(_STS, STS_ROWS),
        _table(_CODES, CODE_ROWS),
        _PERSISTENT + "".join(_persistent()),
    )
    return "\n".join(sections)


def _table(heading: str, rows: Sequence[Row]) -> str:
    return f"{heading}\n{_HEAD}" + "".join(map(_line, rows))


def _line(row: Row) -> str:
    columns = (
        _column(
            row.outcomes.of(situation, life), "fresh" if situation is Situation.VALID else "served"
        )
        for situation in (Situation.FIRST, Situation.VALID)
        for life in Life
    )
    return f"| {row.name} | {' | '.join(columns)} |\n"


def _column(outcome: Outcome, valid: str) -> str:
    what = f"`{outcome.error_id}`" if outcome.error_id else valid
    many = f"{outcome.requests} request{'s' if outcome.requests > 1 else ''}"
    when = f", {outcome.seconds:g} s" if outcome.seconds else ""
    return f"{what}, {many}{when}"


def _persistent() -> Iterator[str]:
    for (server, name), (minute, ten_minutes) in PERSISTENT.items():
        yield f"| {server.value} | {name} | {minute} | {ten_minutes} |\n"
