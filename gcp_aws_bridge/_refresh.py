"""When credentials are renewed: pure arithmetic of instants, no clock and no threads.

fresh ──── about half of the life ──── stale but valid ──── last seconds ──── gone
NOT_NEEDED           ADVISORY: served, one refresh          MANDATORY: callers wait,
                     in the background, backing off         all for one attempt
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import NamedTuple

from gcp_aws_bridge._credentials import AwsCredentials


class RefreshStatus(enum.Enum):
    """What a caller must do about credentials of a given age."""

    NOT_NEEDED = "serve"
    ADVISORY = "serve, and refresh in the background"
    MANDATORY = "wait for fresh ones"


class Kept(NamedTuple):
    """Credentials and the instants that decide about them: published in one assignment.

    Attributes:
        advisory_at: From when on the next caller starts a refresh in the background.
        mandatory_at: From when on they are not given out any more; never before `advisory_at`.
    """

    credentials: AwsCredentials
    advisory_at: datetime
    mandatory_at: datetime

    def status(self, now: datetime) -> RefreshStatus:
        if now < self.advisory_at:
            return RefreshStatus.NOT_NEEDED
        return RefreshStatus.ADVISORY if now < self.mandatory_at else RefreshStatus.MANDATORY


class RefreshPolicy(NamedTuple):
    """When credentials are renewed. Times in seconds; fractions are of the credentials' life.

    Attributes:
        earliest, latest: The background refresh starts at a random point between the two, drawn
            anew for each set of credentials, so that pods which started together spread out.
        mandatory_window_s: Credentials with less life than this are not given out: a request
            signed with them could arrive too late. aws-config's identity cache uses 10 s too.
        attempts, pause_s: While a caller waits, a failure worth it is tried again at once, this
            often in all, after about this long (doubling).
        backoff_base_s, backoff_cap_s: Between background attempts that fail.
        remember_s: With nothing valid, how long at most an error answers further callers, so that
            a thousand threads do not become a thousand requests.
        wait_s: The longest that a caller waits for an attempt that never ends.
    """

    earliest: float = 0.45
    latest: float = 0.65
    mandatory_window_s: float = 10.0
    attempts: int = 4
    pause_s: float = 0.2
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    remember_s: float = 2.0
    wait_s: float = 90.0

    def keep(self, credentials: AwsCredentials, obtained: datetime, jitter: float) -> Kept:
        """Fix the instants that decide about *credentials*, obtained just now."""
        life = credentials.expiration - obtained
        fraction = self.earliest + (self.latest - self.earliest) * jitter
        mandatory_at = credentials.expiration - timedelta(seconds=self.mandatory_window_s)
        return Kept(credentials, min(obtained + life * fraction, mandatory_at), mandatory_at)


POLICY = RefreshPolicy()
