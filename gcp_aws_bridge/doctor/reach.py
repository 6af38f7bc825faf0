"""Checks whether AWS is reached, and whether the clocks agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gcp_aws_bridge._tokens.id_token import skew
from gcp_aws_bridge.doctor import dualstack, network
from gcp_aws_bridge.doctor.context import ClockReading, Context
from gcp_aws_bridge.doctor.network import Endpoint, Problem
from gcp_aws_bridge.doctor.report import Finding, State
from gcp_aws_bridge.doctor.sts import DoctorSts, endpoint_variables
from gcp_aws_bridge.exceptions import ExchangeError

# By name of the botocore error.
_PROBLEMS = {
    "ConnectTimeoutError": Problem(
        "doctor/sts-blocked",
        "connections to it get no answer: a firewall or network policy drops them",
        "kubectl get networkpolicy --all-namespaces\ngcloud compute firewall-rules list\n"
        "allow egress to port 443 of {host}; a private cluster needs Cloud NAT",
    ),
    "EndpointConnectionError": Problem(
        "doctor/sts-closed",
        "it refuses connections, or there is no route: nothing listens there",
        "check the address ({variables}) and the routes of this network",
    ),
    "ReadTimeoutError": Problem(
        "doctor/sts-silent",
        "it accepts the connection and does not answer: a proxy or firewall holds it",
        network.TRY_LONGER,
    ),
    "ConnectionClosedError": Problem(
        "doctor/sts-cut",
        "it closes the connection without an answer: a firewall that reads host names, or a proxy",
        f"curl -sv --max-time 10 {{url}}\n{network.ALLOW}",
    ),
}
_DNS = Problem(
    "doctor/sts-dns",
    "the name does not resolve ({reason}): DNS, or the region does not exist",
    "getent hosts {host}\n"
    "check --region, AWS_DEFAULT_REGION, GCP_AWS_BRIDGE_STS_REGIONS and {variables}; in a pod, "
    "check egress to kube-dns, port 53",
)
_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")  # in botocore's order


def _wrong_clock(state: State, seen: str, fix: str, finding_id: str) -> Finding:
    return Finding(
        "clock",
        state,
        seen,
        wanted="All three within five minutes: AWS rejects signatures that differ by more.",
        fix=fix,
        id=finding_id,
        explains=(
            *("exchange/clock", "exchange/expired-token", "exchange/invalid-token"),
            *("exchange/google-aws", "exchange/google-token", "doctor/aws-keys"),
        ),
    )


_CACHE_FIX = (
    "compare: curl -sI https://www.google.com | grep -i ^date; date -u\n"
    "exclude these requests from the proxy that answers from a cache: NO_PROXY; unset an "
    "emulator's address"
)
# {skew} stands for "10 minutes behind" or "10 minutes ahead of".
_METADATA_CLOCK = _wrong_clock(
    "broken",
    "This machine's clock is {skew} the metadata server's and agrees with AWS's: the clock of the "
    "metadata server's node is wrong.",
    "on the pod's node: date -u; sudo chronyc makestep",
    "doctor/metadata-clock",
)
GOOGLE_CLOCK = _wrong_clock(
    "warning",
    "This machine's clock is {skew} that of the server that answers as Google, and agrees with "
    "AWS's: does a proxy answer from a cache?",
    _CACHE_FIX,
    "doctor/google-clock",
)
STS_CLOCK = _wrong_clock(
    "warning",
    "This machine's clock is {skew} that of the server that answers as STS, and agrees with "
    "Google's: does a proxy answer from a cache, or an emulator?",
    _CACHE_FIX,
    "doctor/sts-clock",
)


def reach_sts(context: Context, region: str, label: str) -> Finding:
    """Reach the STS of *region* without a token, and keep it for later checks.

    Args:
        label: Names the identity in errors.

    Raises:
        BridgeError: The endpoint is not allowed, or another server answers there.
    """
    context.sts = sts = DoctorSts(context.session, region, label, context.request_timeout_s)
    found = reached(context, sts)
    if sts.clock is not None:
        context.clocks["AWS"] = ClockReading(*sts.clock)
    return found


def reached(context: Context, sts: DoctorSts) -> Finding:
    """Return whether *sts* is reached without a token, and keep its clock."""
    endpoint = Endpoint("sts", sts.url, sts.proxy())
    if found := endpoint.unresolved(context, _with_variables(_DNS), "doctor/sts-proxy"):
        return found
    slow = ExchangeError(
        f"no complete answer within {context.timeout_s:g} s.", code="ReadTimeoutError"
    )
    try:
        # botocore's own time-out never expires while single bytes keep arriving.
        date = context.within(sts.probe, late=slow)
    except ExchangeError as error:
        unconnected = error.code in ("EndpointConnectionError", "ConnectTimeoutError")
        if unconnected and not endpoint.proxy:
            problem = dualstack.problem(context, sts.region_name, sts.url)
            if problem is not None:
                return endpoint.fails(problem)
        return _failure(endpoint, error)
    if date is not None:
        sts.clock = date, context.world.clock()
    variables = ", ".join(endpoint_variables())
    return endpoint.works(f"{variables and f' (by {variables})'}, region {sts.region_name}")


def _failure(endpoint: Endpoint, error: ExchangeError) -> Finding:
    details = f"{str(error.args[0]).rpartition(' failed. ')[2]} {error.details}".strip()
    if error.code == "ProxyConnectionError" or (endpoint.proxy and error.code in _PROBLEMS):
        return endpoint.bad_proxy("doctor/sts-proxy", details)
    if error.code == "SSLError":
        return endpoint.fails(
            network.bundle_problem("doctor/sts-tls", _BUNDLES)
            or Problem("doctor/sts-tls", details, network.SHOW_CERTIFICATE + error.fix)
        )
    found = _PROBLEMS.get(error.code)
    return endpoint.fails(_with_variables(found)) if found else Finding.of("sts", error)


def _with_variables(problem: Problem) -> Problem:
    variables = ", ".join(endpoint_variables()) or "AWS_ENDPOINT_URL_STS"
    return problem._replace(fix=problem.fix.replace("{variables}", variables))


def check_clock(context: Context, only_google: Finding = _METADATA_CLOCK) -> Iterator[Finding]:
    """Compare this machine's clock with the clocks of both clouds.

    Args:
        only_google: The finding if Google's clock alone differs.
    """
    clocks = sorted(context.clocks.items(), reverse=True)  # whichever server answered first
    skews = {cloud: skew(seen.local, seen.server) for cloud, seen in clocks}
    wrong = {cloud: text for cloud, text in skews.items() if text}
    if not skews:
        yield Finding("clock", "skipped", "Neither cloud sent the time.")
    elif not wrong:
        yield Finding("clock", "ok", f"Within five minutes of {' and '.join(skews)}.")
    elif len(wrong) == len(skews):
        differs = " and ".join(f"{text} {cloud}'s" for cloud, text in wrong.items())
        which = "." if len(wrong) > 1 else ": one of the two is wrong, usually this one."
        fix = "date -u; timedatectl status\nset the clock by NTP: sudo chronyc makestep"
        seen = f"This machine's clock is {differs}{which}"
        yield _wrong_clock("broken", seen, fix, "doctor/clock")
    else:
        (text,) = wrong.values()
        found = only_google if "Google" in wrong else STS_CLOCK
        yield replace(found, seen=found.seen.format(skew=text))
