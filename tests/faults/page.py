"""The fault matrix as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .matrix import CODE_ROWS, METADATA_ROWS, PERSISTENT, STS_ROWS
from .outcomes import Life, Outcome, Row, Situation

_INTRO = """\
# Faults

What becomes of each fault of the metadata server and of STS. `python -m tests.faults` writes this
page, from the table that `pytest tests/faults` holds against the library: over HTTP, with a clock
that moves when the library sleeps or waits in vain (what hangs or drips is waited for a moment, and
counted in full). Times are therefore exact, with every random pause in the middle of its range.

- **It lasts**: until the library gives up. **It passes**: after one request.
- **Nothing valid**, be it before the first credentials or after expiry: the caller waits, for fresh
  ones or for an error. The table says which, after how many requests to this server, and how many
  seconds. The same error answers whoever else asks within the next second or two, and
  for up to 15 s after some failures in a row.
- **While valid**: the caller is served the old credentials at once, always. The table says what
  becomes of the refresh behind its back. Where that fails, the next attempt comes with the first
  caller after 1 to 2 s (1.5 here), then after up to 4, 8, … 60 s.
- A user of boto3 sees botocore's `CredentialRetrievalError`. Its `__cause__` has the id: a
  `TokenUnavailable` for `token/none`, a `TokenError` for the others of `token/`, an `ExchangeError`
  for `exchange/`. [Errors](errors.md) says what to do about each.
"""
_METADATA = """\
## The metadata server

It is asked for up to 20 s, 5 s at a time, where it may be about to start. Without a token nothing
is sent to STS.
"""
_STS = """\
## STS: the way there and the answer

A caller with nothing valid gets up to four attempts, each with a token of its own and 10 s for the
answer to go on; a refresh in the background is one.
"""
_CODES = """\
## STS: error codes
"""
_PERSISTENT = """\
## A caller who does not give up

Requests that one process makes while its callers ask ten times a second and the fault lasts.

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
    cells = (
        _cell(
            row.outcomes.of(situation, life), "fresh" if situation is Situation.VALID else "served"
        )
        for situation in (Situation.FIRST, Situation.VALID)
        for life in Life
    )
    return f"| {row.name} | {' | '.join(cells)} |\n"


def _cell(outcome: Outcome, good: str) -> str:
    what = f"`{outcome.error_id}`" if outcome.error_id else good
    many = f"{outcome.asked} request{'s' if outcome.asked > 1 else ''}"
    when = f", {outcome.seconds:g} s" if outcome.seconds else ""
    return f"{what}, {many}{when}"


def _persistent() -> Iterator[str]:
    for (server, name), (minute, ten_minutes) in PERSISTENT.items():
        yield f"| {server.value} | {name} | {minute} | {ten_minutes} |\n"
