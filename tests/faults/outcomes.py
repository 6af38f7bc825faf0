"""Terms of the fault matrix: outcomes for a caller, and those that several rows share."""

from __future__ import annotations

import enum
from typing import NamedTuple

from gcp_aws_bridge.emulator import Fault

JITTER = 0.5  # every random pause is the middle of its range
NEXT_ATTEMPT_S = 1.5  # after a first failure in the background: between 1 and 2 s
DRIP_S_PER_BYTE = 1.0


class Server(enum.Enum):
    METADATA = "metadata server"
    STS = "STS"


class Situation(enum.Enum):
    FIRST = "first credentials"
    VALID = "while valid"
    EXPIRED = "after expiry"


class Life(enum.Enum):
    LASTS = "it lasts"
    PASSES = "it passes after one request"


class Outcome(NamedTuple):
    """What a caller gets; while credentials are valid, the result of the background refresh.

    Attributes:
        error_id: The id of the `__cause__` of CredentialRetrievalError; empty without an error.
        kind: The class of that error.
        requests: The number of requests to the server with the fault, even if it never saw them.
        seconds: The time from the call to the outcome, to a tenth.
    """

    error_id: str
    kind: str
    requests: int
    seconds: float


class Outcomes(NamedTuple):
    """The outcomes of one fault. "First credentials" and "after expiry" have the same outcome."""

    lasts: Outcome
    passes: Outcome
    valid_lasts: Outcome
    valid_passes: Outcome

    def of(self, situation: Situation, life: Life) -> Outcome:
        lasts = life is Life.LASTS
        if situation is Situation.VALID:
            return self.valid_lasts if lasts else self.valid_passes
        return self.lasts if lasts else self.passes


class Row(NamedTuple):
    """One fault of one server; None stands for a port that refuses connections."""

    server: Server
    name: str
    fault: Fault | None
    outcomes: Outcomes


def served(requests: int = 1, seconds: float = 0.0) -> Outcome:
    return Outcome("", "", requests, seconds)


def failed(error_id: str, requests: int = 1, seconds: float = 0.0) -> Outcome:
    area = "TokenError" if error_id.startswith("token/") else "ExchangeError"
    kind = "TokenUnavailable" if error_id == "token/none" else area
    return Outcome(error_id, kind, requests, seconds)


# Outcomes of several rows.


def harmless() -> Outcomes:
    return Outcomes(served(), served(), served(), served())


def refused(error_id: str) -> Outcomes:
    """Return the outcomes of a permanent error: one request for each attempt."""
    no = failed(error_id)
    return Outcomes(no, no, no, served(2, NEXT_ATTEMPT_S))


def waited_for(error_id: str) -> Outcomes:
    """Return the outcomes while the metadata server may still start: requests for up to 20 s."""
    no, yes = failed(error_id, 23, 19.7), served(2, 0.1)
    return Outcomes(no, yes, no, yes)


def tried_again(error_id: str) -> Outcomes:
    """Return the outcomes of a transient error of STS: four requests if a caller waits, or one."""
    return Outcomes(
        failed(error_id, 4, 1.7), served(2, 0.3), failed(error_id), served(2, NEXT_ATTEMPT_S)
    )
