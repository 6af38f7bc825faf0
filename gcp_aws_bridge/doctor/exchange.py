"""The exchange, each further hop, and who AWS says we are then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.errors import blame_clock
from gcp_aws_bridge.doctor import trust
from gcp_aws_bridge.doctor.context import Walk, left
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.sts import host_of
from gcp_aws_bridge.exceptions import ExchangeError

_T = TypeVar("_T")


def check_exchange(walk: Walk) -> Iterator[Finding]:
    """Trade the token for the credentials of the first role.

    Raises:
        ExchangeError: STS refused for another reason than the role's trust policy.
    """
    role, sts, token = left(walk.role), left(walk.sts), left(walk.token)
    try:
        walk.credentials = _asked(walk, lambda: sts.assume_role_with_web_identity(token, role))
    except ExchangeError as error:
        if finding := trust.explain(walk, error):
            yield finding
            return
        raise
    yield Finding("exchange", "ok", f"{role.arn} {_until(walk.credentials)}.")


def check_hops(walk: Walk) -> Iterator[Finding]:
    """Go on to each further role.

    Raises:
        ExchangeError: STS refused one; the message names it.
    """
    role, sts = left(walk.role), left(walk.sts)
    for hop, arn in enumerate(role.chain):
        next_hop = partial(sts.assume_role, left(walk.credentials), role, hop)
        walk.credentials = _asked(walk, next_hop)
        yield Finding("hops", "ok", f"{arn} {_until(walk.credentials)}.")


def check_identity(walk: Walk) -> Iterator[Finding]:
    """Ask AWS who the credentials are.

    Raises:
        ExchangeError: STS does not take them.
    """
    role, sts, credentials = left(walk.role), left(walk.sts), left(walk.credentials)
    arn = _asked(walk, lambda: sts.caller_identity(credentials))
    last = (role.arn, *role.chain)[-1]
    # IAM user guide, "IAM identifiers": a session's ARN has the role's name without its path.
    expected = f":{last.split(':')[4]}:assumed-role/{last.rpartition('/')[2]}/"
    if expected in arn:
        yield Finding("identity", "ok", f"AWS says: {arn}.")
        return
    yield Finding(
        "identity",
        "broken",
        f"AWS says that these credentials are {arn}.",
        wanted=f"A session of {last}.",
        fix="look at AWS_ENDPOINT_URL_STS: is that AWS?",
        id="doctor/somebody-else",
    )


def _asked(walk: Walk, call: Callable[[], _T]) -> _T:
    try:
        return walk.within(call)
    except TimeoutError:
        raise ExchangeError(
            f"STS gave no whole answer within {walk.timeout_s:g} s.",
            fix="where it is slow, gcp-aws-bridge doctor --timeout 10\n"
            "where it hangs, let it pass the firewall or proxy: port 443 of "
            f"{host_of(left(walk.sts).url)}",
            error_id="exchange/timeout",
        ) from None
    except ExchangeError as error:
        raise blame_clock(error, walk.world.clock()) from None


def _until(credentials: AwsCredentials) -> str:
    return f"assumed until {credentials.expiration:%Y-%m-%d %H:%M:%S} UTC"
