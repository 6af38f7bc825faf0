"""Checks each region of `sts_regions`. The others carry on while one of them fails: a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._sts.regions import is_outage
from gcp_aws_bridge._tokens.id_token import skew
from gcp_aws_bridge.doctor import reach
from gcp_aws_bridge.doctor.context import AwsContext, ClockReading, required, started
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.sts import DoctorSts, endpoint_variables
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, quoted

_GLOBAL = "https://sts.amazonaws.com"
_WANTED = "Every region of sts_regions answers and gives credentials."
_OMIT = "or omit {region} from sts_regions (--sts-region, GCP_AWS_BRIDGE_STS_REGIONS)"

Result = AwsCredentials | ExchangeError


def check_sts(context: AwsContext) -> Iterator[Finding]:
    """Reach STS without a token, in each region that the role lists.

    Raises:
        BridgeError: The endpoint is not allowed, or another server answers at the only one.
    """
    role = required(context.role)
    if len(role.sts_regions) < 2:
        yield reach.reach_sts(context, sts_region(context.session, role), role.arn)
        context.regions = [required(context.sts)]
        return
    found = [
        DoctorSts(context.session, region, role.arn, context.request_timeout_s)
        for region in role.sts_regions
    ]
    servers = [*{sts.url: sts for sts in reversed(found)}.values()][::-1]
    if len(servers) < len(found):
        yield _one_address(found)
    yield from _reach_all(context, servers)


def _reach_all(context: AwsContext, servers: Sequence[DoctorSts]) -> Iterator[Finding]:
    """Reach all *servers* at the same time, and keep those that answer."""
    reaching = [started(partial(_reached, context, sts), context.world) for sts in servers]
    pairs = [*zip(servers, [future.result() for future in reaching], strict=True)]
    context.regions = [sts for sts, finding in pairs if finding.state != "broken"]
    context.sts = next(iter(context.regions), servers[0])
    for sts, finding in pairs:
        is_carried = finding.state == "broken" and context.regions
        yield _carried_on(finding, sts, context.regions) if is_carried else finding
    yield from _clocks(context, [sts for sts in servers if sts.clock])


def _clocks(context: AwsContext, servers: Sequence[DoctorSts]) -> Iterator[Finding]:
    """Keep the clock of AWS that is closest to this machine's, and compare the others with it."""
    clocks = [ClockReading(*sts.clock) for sts in servers if sts.clock]
    if not clocks:
        return
    best = context.clocks["AWS"] = min(clocks, key=lambda one: abs(one.server - one.local))
    for sts, clock in zip(servers, clocks, strict=True):
        text = skew(clock.local, clock.server)
        if text and not skew(best.local, best.server):
            seen = (
                f"STS in {sts.region_name}: this machine's clock is {text} that of the server that "
                "answers, and agrees with that of another region: does a proxy answer from a cache?"
            )
            yield replace(reach.STS_CLOCK, link="sts", seen=seen, wanted=_WANTED)


def _reached(context: AwsContext, sts: DoctorSts) -> Finding:
    try:
        return reach.reached(context, sts)
    except BridgeError as error:
        return Finding.of("sts", error)


def first_result(
    context: AwsContext, exchange: Callable[[DoctorSts], AwsCredentials]
) -> tuple[DoctorSts, Result, list[Finding]]:
    """Make an exchange in each region at the same time.

    Returns:
        The region whose result the library uses, that result, and warnings about other regions.
    """

    def result(sts: DoctorSts) -> Result:
        try:
            return exchange(sts)
        except ExchangeError as error:
            return error

    making = [started(partial(result, sts), context.world) for sts in context.regions]
    results = [*zip(context.regions, (future.result() for future in making), strict=True)]
    used, found = next((one for one in results if not _is_outage(one[1])), results[-1])
    if isinstance(found, ExchangeError) and len(results) > 1:
        seen = f"STS in {used.region_name} decided this, and no other region is asked."
        if is_outage(found):
            seen = f"The error is that of STS in {used.region_name}; the others fail too."
        found.details = f"{found.details} {seen}".strip()
    working = [sts for sts, one in results if not isinstance(one, ExchangeError)]
    others = [
        _carried_on(Finding.of("exchange", one), sts, working)
        for sts, one in results
        if isinstance(one, ExchangeError) and one is not found
    ]
    return used, found, others


def _is_outage(result: Result) -> bool:
    return isinstance(result, ExchangeError) and is_outage(result)


def _carried_on(finding: Finding, sts: DoctorSts, working: Sequence[DoctorSts]) -> Finding:
    """Return the warning for a region that fails while others work."""
    names = " and ".join(one.region_name for one in working)
    fix = f"{finding.fix}\n{_OMIT.format(region=sts.region_name)}"
    if finding.id == "exchange/denied":
        fix = (
            f"look for aws:RequestedRegion, which must allow {sts.region_name}, in the trust "
            f"policy and in the organization's policies\n{_OMIT.format(region=sts.region_name)}"
        )
    return replace(
        finding,
        state="warning",
        seen=f"STS in {sts.region_name}: {finding.seen} STS in {names} carries on.",
        wanted=_WANTED,
        fix=fix,
    )


def _one_address(found: Sequence[DoctorSts]) -> Finding:
    """Return the warning for regions with the same address."""
    urls = [sts.url for sts in found]
    url = next(one for one in urls if urls.count(one) > 1)
    names = ", ".join(sts.region_name for sts in found if sts.url == url)
    variables = [name for name in endpoint_variables() if name != "AWS_CA_BUNDLE"]
    if url == _GLOBAL and not variables:
        why = "sts_regional_endpoints is legacy"
        fix = "export AWS_STS_REGIONAL_ENDPOINTS=regional"
    elif variables:
        why = f"by {', '.join(variables)}"
        fix = f"unset {' '.join(variables)}"
    else:
        why = "by endpoint_url in the AWS config file"
        fix = "remove endpoint_url from the AWS config file"
    fix += "\nor, if it is the only address that this network reaches, omit sts_regions"
    return Finding(
        "sts",
        "warning",
        f"STS in {names} has one address, {quoted(url)} ({why}), so an outage of it is one of all.",
        wanted="An address for each region of sts_regions.",
        fix=fix,
        id="doctor/sts-one-address",
    )
