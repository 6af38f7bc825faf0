"""The words of the fault matrix: what can happen to whoever asks, and how often that repeats."""

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
    """What a caller gets; while credentials are valid, what the refresh behind it brings.

    Attributes:
        error_id: Of the `__cause__` of botocore's CredentialRetrievalError; empty when served.
        kind: Its class.
        asked: Requests to the server that has the fault, those that it never saw included.
        seconds: From the call to the outcome, to a tenth.
    """

    error_id: str
    kind: str
    asked: int
    seconds: float


class Outcomes(NamedTuple):
    """Of one fault. With nothing valid it makes no difference whether it ever was otherwise."""

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
    """One fault of one server; None is a port that refuses connections."""

    server: Server
    name: str
    fault: Fault | None
    outcomes: Outcomes


def served(asked: int = 1, seconds: float = 0.0) -> Outcome:
    return Outcome("", "", asked, seconds)


def failed(error_id: str, asked: int = 1, seconds: float = 0.0) -> Outcome:
    area = "TokenError" if error_id.startswith("token/") else "ExchangeError"
    kind = "TokenUnavailable" if error_id == "token/none" else area
    return Outcome(error_id, kind, asked, seconds)


# What repeats from row to row.


def harmless() -> Outcomes:
    return Outcomes(served(), served(), served(), served())


def refused(error_id: str) -> Outcomes:
    """An answer that would be the same again: asked once, in the background once an attempt."""
    no = failed(error_id)
    return Outcomes(no, no, no, served(2, NEXT_ATTEMPT_S))


def waited_for(error_id: str) -> Outcomes:
    """The metadata server may be about to start: asked again for up to 20 seconds."""
    no, yes = failed(error_id, 23, 19.7), served(2, 0.1)
    return Outcomes(no, yes, no, yes)


def tried_again(error_id: str) -> Outcomes:
    """STS: four requests where a caller waits for them, one where nobody does."""
    return Outcomes(
        failed(error_id, 4, 1.7), served(2, 0.3), failed(error_id), served(2, NEXT_ATTEMPT_S)
    )
