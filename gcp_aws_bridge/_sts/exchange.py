"""The exchange: an ID token in, AWS credentials out, through all roles of the chain."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.clock import Clock, utc_now
from gcp_aws_bridge._sts.parameters import duration_seconds
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, TokenError

if TYPE_CHECKING:
    from gcp_aws_bridge._sts.calls import StsCalls
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._sts.regions import StsRegions
    from gcp_aws_bridge._tokens.default import TokenSource
    from gcp_aws_bridge.config import Role

# Sessions of STS last at least 15 minutes (DurationSeconds, AWS STS API reference). If one seems to
# end within a minute, this machine's clock is wrong.
_MIN_LIFE = timedelta(minutes=1)


@without_inner_frames
def exchange(
    source: TokenSource, role: Role, sts: StsCalls | StsRegions, *, clock: Clock = utc_now
) -> AwsCredentials:
    """Exchange one ID token for AWS credentials, through all roles of the chain.

    Calls *source* exactly once. Does not cache and does not retry: the credential cache does both.

    Args:
        source: Returns a token for the audience that the role's trust policy allows.
        role: The first role is assumed with the token; each role of `role.chain` with the
            credentials of the role before it, for 1 hour at most.
        sts: STS, in one region or in several.

    Returns:
        Credentials of the last role. `expiration` is the earliest expiration of all roles that were
        requested for as long as the last one, aware UTC, and by this machine's clock at most that
        duration away.

    Raises:
        TokenError: There is no usable token; nothing was sent to AWS. `TokenUnavailable` if the
            source does not exist on this machine.
        ExchangeError: STS denied the request or was not reached; see `.code` and `.retryable`.
        Exception: An unexpected error, for example from a botocore hook. The traceback of all
            errors begins here: the frames below hold the token and the credentials.
    """
    token = id_token.parse(_ask(source), origin=_origin(source))
    id_token.check(token, audience=role.audience, now=clock(), origin=_origin(source))
    try:
        credentials = sts.assume_role_with_web_identity(token, role)
        ends = [(duration_seconds(role, None), credentials.expiration)]
        for position in range(len(role.chain)):
            credentials = sts.assume_role(credentials, role, position)
            ends.append((duration_seconds(role, position), credentials.expiration))
    except ExchangeError as error:
        if error.date is None:
            raise
        from gcp_aws_bridge._sts.errors import blame_clock  # loaded only for an error

        raise blame_clock(error, clock()) from None
    now = clock()
    last_s, _ = ends[-1]
    # The session of a chained role outlives a previous one that was requested for a shorter time.
    expiration = min(end for duration_s, end in ends if duration_s >= last_s)
    # With a clock that is behind, they would seem to be valid for longer than requested.
    expiration = min(expiration, now + timedelta(seconds=last_s))
    if expiration - now < _MIN_LIFE:
        raise ExchangeError(
            f"STS gave credentials for {role.arn} that end at {expiration:%Y-%m-%d %H:%M:%S} UTC; "
            f"by this machine's clock it is {now:%Y-%m-%d %H:%M:%S} UTC.",
            fix="set this machine's clock right (NTP); AWS refuses signatures 5 minutes off.",
            error_id="exchange/clock",
            code="ExpiredOnArrival",
        )
    return credentials.__replace__(expiration=expiration)


def _ask(source: TokenSource) -> str:
    try:
        return source()
    except BridgeError:
        raise
    except Exception as error:
        from gcp_aws_bridge._cache.late_patch import of_late_patch  # loaded only for an error

        if isinstance(error, of_late_patch()):
            raise
        # Show only the type: the message of code that handles tokens may contain one. The traceback
        # has the redacted cause.
        raise TokenError(
            f"{_origin(source)} raised {type(error).__name__}.",
            fix="see the cause above it in the traceback; a source returns a token or raises "
            "TokenError or TokenUnavailable.",
            error_id="token/source-raised",
            retryable=isinstance(error, OSError),  # network or disk errors may be temporary
        ) from error


def _origin(source: TokenSource) -> str:
    name = getattr(source, "__name__", None) or type(source).__name__
    return f"The token source {name}"
