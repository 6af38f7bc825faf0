"""One Google ID token in, AWS credentials out: the whole exchange, once."""

from __future__ import annotations

from datetime import timedelta

from gcp_aws_bridge._cache.clock import Clock, utc_now
from gcp_aws_bridge._cache.late_patch import of_late_patch
from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, TokenError

# STS gives no session shorter than 15 minutes (DurationSeconds, AWS STS API reference): one that
# seems to end within the minute was measured with a wrong clock.
_MIN_LIFE = timedelta(minutes=1)


@without_inner_frames
def exchange(
    source: TokenSource, role: Role, sts: Sts, *, clock: Clock = utc_now
) -> AwsCredentials:
    """Trade one ID token for AWS credentials, through every hop of *role*.

    Calls *source* exactly once. Does not cache and does not retry: the credential cache does both.

    Args:
        source: Called for a token whose audience the role's trust policy allows.
        role: First hop by web identity; each of `role.chain` by AssumeRole, at most 1 hour each.
        sts: The endpoint that is asked.

    Returns:
        Credentials of the last hop. `expiration` is the earliest of all hops, aware UTC, and by
        this machine's clock at most `role.duration_seconds` away.

    Raises:
        TokenError: No usable token; nothing was sent to AWS. `TokenUnavailable` where this
            machine has no such source.
        ExchangeError: STS refused or could not be reached; see `.code` and `.retryable`.
        Exception: Unexpected, such as the error of a botocore hook. As of all errors, its traceback
            begins here: the frames below hold the token and the credentials.
    """
    token = id_token.parse(_ask(source), origin=_origin(source))
    id_token.check(token, audience=role.audience, now=clock(), origin=_origin(source))
    try:
        credentials = sts.assume_role_with_web_identity(token, role)
        expiration = credentials.expiration
        for hop in range(len(role.chain)):
            credentials = sts.assume_role(credentials, role, hop)
            expiration = min(expiration, credentials.expiration)
    except ExchangeError as error:
        if error.date is None:
            raise
        from gcp_aws_bridge._sts.errors import blame_clock  # loaded where STS says no

        raise blame_clock(error, clock()) from None
    now = clock()
    # A clock that is behind would give them a longer life than was asked for.
    expiration = min(expiration, now + timedelta(seconds=role.duration_seconds))
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
    except of_late_patch():
        raise
    except Exception as error:
        # Only its type: a message of code that handles tokens may hold one. The rest, redacted, is
        # in the traceback, as __cause__.
        raise TokenError(
            f"{_origin(source)} raised {type(error).__name__}.",
            fix="see the cause above it in the traceback; a source returns a token or raises "
            "TokenError or TokenUnavailable.",
            error_id="token/source-raised",
            retryable=isinstance(error, OSError),  # a network or a disk, and they pass
        ) from error


def _origin(source: TokenSource) -> str:
    name = getattr(source, "__name__", None) or type(source).__name__
    return f"The token source {name}"
