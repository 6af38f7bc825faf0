"""Checks the exchange, each chained role, and the identity that AWS reports for the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.errors import blame_clock
from gcp_aws_bridge.doctor import chain, regions, trust
from gcp_aws_bridge.doctor.context import AwsContext, required, until
from gcp_aws_bridge.doctor.network import late_error
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.sts import DoctorSts
from gcp_aws_bridge.exceptions import ExchangeError

_T = TypeVar("_T")


def check_exchange(context: AwsContext) -> Iterator[Finding]:
    """Exchange the token for credentials of the first role, in each region that the role lists.

    Raises:
        ExchangeError: STS failed for another reason than the role's trust policy.
    """
    role, token = required(context.role), required(context.token)

    def exchanged(sts: DoctorSts) -> AwsCredentials:
        return _call(context, lambda: sts.assume_role_with_web_identity(token, role), sts)

    context.sts, result, others = regions.first_result(context, exchanged)
    if not isinstance(result, ExchangeError):
        context.credentials = result
        yield Finding("exchange", "ok", f"{role.arn} assumed {until(result.expiration)}.")
        yield from others
    elif finding := trust.explain(context, result):
        yield finding
    else:
        raise result


def check_chain(context: AwsContext) -> Iterator[Finding]:
    """Assume each chained role.

    Raises:
        ExchangeError: STS failed for another reason than the policies of the two roles.
    """
    role, sts = required(context.role), required(context.sts)
    for position, arn in enumerate(role.arns[1:]):
        assume = partial(sts.assume_role, required(context.credentials), role, position)
        try:
            context.credentials = _call(context, assume)
        except ExchangeError as error:
            if finding := chain.explain(context, position, error):
                yield finding
                return
            raise
        yield Finding("chain", "ok", f"{arn} assumed {until(context.credentials.expiration)}.")


def check_identity(context: AwsContext) -> Iterator[Finding]:
    """Compare the identity that AWS reports for the credentials with the role.

    Raises:
        ExchangeError: STS rejects the credentials.
    """
    role, sts = required(context.role), required(context.sts)
    credentials = required(context.credentials)
    arn = _call(context, lambda: sts.caller_identity(credentials))
    last = role.arns[-1]
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
        id="doctor/other-principal",
    )


def _call(context: AwsContext, call: Callable[[], _T], sts: DoctorSts | None = None) -> _T:
    url = required(sts or context.sts).url
    late = late_error("STS", url, context, "exchange/timeout")
    try:
        return context.within(call, late)
    except ExchangeError as error:
        raise blame_clock(error, context.world.clock()) from None
