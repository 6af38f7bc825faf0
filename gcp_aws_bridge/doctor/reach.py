"""Whether AWS is reached, and whether the clocks of all three agree."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._tokens.id_token import skew
from gcp_aws_bridge.doctor.context import Clocks, Walk, Way, left
from gcp_aws_bridge.doctor.report import Finding, State
from gcp_aws_bridge.doctor.sts import AskedSts, host_of, missing_bundle, resolve, told_by
from gcp_aws_bridge.exceptions import ExchangeError, quoted

_PROXY_FIX = "env | grep -i _proxy\nmend HTTPS_PROXY, or except STS from it: export NO_PROXY={host}"
_METADATA_CLOCK: tuple[State, str, str] = (
    "broken",
    "the metadata server's and agrees with AWS's: the metadata server (its node) has it wrong.",
    "doctor/metadata-clock",
)
_CLOCK_FIX = "date -u; timedatectl status\nset the clock by NTP: sudo chronyc makestep"
_PROXY_CLOCK_FIX = (
    "compare: curl -sI https://www.google.com | grep -i ^date; date -u\n"
    "let requests pass the proxy that answers from a cache: NO_PROXY; unset an emulator's address"
)
# What to do, where it is not this machine's clock.
_CLOCK_FIXES = {
    "doctor/metadata-clock": "on the pod's node: date -u; sudo chronyc makestep",
    "doctor/sts-clock": _PROXY_CLOCK_FIX,
    "doctor/google-clock": _PROXY_CLOCK_FIX,
}
# What a network error of botocore's means of the way there: id, words, what to do.
_WAYS = {
    "ConnectTimeoutError": (
        "doctor/sts-blocked",
        "connections to it get no answer: a firewall or network policy drops them",
        (
            "kubectl get networkpolicy --all-namespaces\ngcloud compute firewall-rules list\n"
            "allow egress to port 443 of {host}; a private cluster needs Cloud NAT"
        ),
    ),
    "EndpointConnectionError": (
        "doctor/sts-closed",
        "it refuses connections, or there is no route: nothing listens there",
        "look at the address ({told}) and at the routes of this network",
    ),
    "ReadTimeoutError": (
        "doctor/sts-silent",
        "it takes the connection and says nothing: a proxy or firewall that holds it",
        (
            "curl -sv --max-time 10 {url}\nwhere it answers later, gcp-aws-bridge doctor --timeout "
            "10\nwhere it does not, let it pass the firewall or proxy: port 443 of {host}"
        ),
    ),
    "ConnectionClosedError": (
        "doctor/sts-cut",
        "it hangs up without an answer: a firewall that looks at names, or a proxy",
        "curl -sv --max-time 10 {url}\nlet it pass the firewall or proxy: port 443 of {host}",
    ),
}


def check_sts(walk: Walk) -> Iterator[Finding]:
    """Reach STS without a token; errors as of `reached`."""
    role = left(walk.role)
    yield reached(walk, sts_region(walk.session, role), role.arn)


def reached(walk: Way, region: str, label: str) -> Finding:
    """Reach the STS of *region* without a token, which becomes the walk's; *label* is for whom.

    Raises:
        BridgeError: The endpoint may not be asked, or was reached and is not STS.
    """
    walk.sts = sts = AskedSts(walk.session, region, label, walk.inner_timeout_s)
    proxy = sts.proxy()
    if wrong := _name_problem(walk, host_of(proxy or sts.url), bool(proxy)):
        return _broken(sts, *wrong)
    try:
        # A slow drip keeps botocore's own deadline waiting for ever.
        date = walk.within(sts.answers)
    except TimeoutError:
        slow = f"no whole answer within {walk.timeout_s:g} s."
        return _unreached(sts, proxy, ExchangeError(slow, code="ReadTimeoutError"))
    except ExchangeError as error:
        return _unreached(sts, proxy, error)
    if date is not None:
        walk.clocks["AWS"] = Clocks(date, walk.world.clock())
    through = f", through the proxy {quoted(proxy)}" if proxy else ""
    told = f" (by {', '.join(told_by())})" if any(told_by()) else ""
    return Finding(
        "sts", "ok", f"{quoted(sts.url)} answers{through}{told}, region {sts.region_name}."
    )


def unresolved(walk: Way, host: str) -> str:
    """What is wrong with a host's name; empty where it resolves in time."""
    try:
        return walk.within(lambda: resolve(host))
    except TimeoutError:
        return f"no answer within {walk.timeout_s:g} s"


def _name_problem(walk: Way, host: str, is_proxy: bool) -> tuple[str, str, str] | None:
    problem = unresolved(walk, host)
    if not problem:
        return None
    if is_proxy:
        return (
            "doctor/sts-proxy",
            f"the way there leads through a proxy, and {quoted(host)} does not resolve ({problem})",
            _PROXY_FIX,
        )
    words = f"the name {quoted(host)} does not resolve ({problem}): DNS, or no such region"
    fix = (
        "getent hosts {host}\nlook at --region, AWS_DEFAULT_REGION and {told}; in a pod at "
        "egress to kube-dns, port 53"
    )
    return "doctor/sts-dns", words, fix


def _unreached(sts: AskedSts, proxy: str, error: ExchangeError) -> Finding:
    said = f"{str(error.args[0]).rpartition(' failed. ')[2]} {error.details}".strip()
    if error.code == "ProxyConnectionError" or (proxy and error.code in _WAYS):
        return _broken(
            sts,
            "doctor/sts-proxy",
            f"the way there leads through the proxy {quoted(proxy)}, which does not let it pass: "
            f"{said}",
            _PROXY_FIX,
        )
    if error.code == "SSLError" and (bundle := missing_bundle()):
        return _broken(
            sts,
            "doctor/sts-tls",
            f"{bundle} names a file that is not there, so that no certificate can be trusted",
            f"unset {bundle}, or give the path of a file of certificates (PEM)",
        )
    if error.code == "SSLError":
        return _broken(
            sts,
            "doctor/sts-tls",
            said,
            "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 "
            f"-noout -issuer -subject -dates\n{error.fix}",
        )
    if error.code in _WAYS:
        return _broken(sts, *_WAYS[error.code])
    return Finding.of("sts", error)


def _broken(sts: AskedSts, finding_id: str, words: str, fix: str) -> Finding:
    told = ", ".join(told_by()) or "AWS_ENDPOINT_URL_STS"
    host, port = host_of(sts.url), urlsplit(sts.url).port or 443
    for name, value in (("host", host), ("port", str(port)), ("url", sts.url)):
        fix = fix.replace(f"{{{name}}}", shlex.quote(value))
    fix = fix.replace("{told}", told)
    return Finding(
        "sts", "broken", f"{quoted(sts.url)}: {words.rstrip('.')}.", fix=fix, id=finding_id
    )


def check_clock(walk: Way, googles: tuple[State, str, str] = _METADATA_CLOCK) -> Iterator[Finding]:
    """Hold this machine's clock against both clouds'.

    Args:
        googles: Where Google's alone is off: how bad that is, whose it is in words, and the id.
    """
    # In one order, whichever of them told first.
    clocks = sorted(walk.clocks.items(), reverse=True)
    off = {cloud: skew(seen.ours, seen.theirs) for cloud, seen in clocks}
    wrong = {cloud: by for cloud, by in off.items() if by}
    if not off:
        yield Finding("clock", "skipped", "Neither cloud told the time.")
    elif not wrong:
        yield Finding("clock", "ok", f"Within five minutes of {' and '.join(off)}.")
    elif len(wrong) == len(off):
        yield _clock(
            "broken",
            "This machine's clock is "
            + " and ".join(f"{by} {cloud}'s" for cloud, by in wrong.items())
            + ("." if len(wrong) > 1 else ": one of the two is wrong, mostly this one."),
            "doctor/clock",
        )
    elif "Google" in wrong:
        state, words, finding_id = googles
        yield _clock(state, f"This machine's clock is {wrong['Google']} {words}", finding_id)
    else:
        yield _clock(
            "warning",
            f"This machine's clock is {wrong['AWS']} what answers as STS and agrees with "
            "Google's: is there a proxy that answers from a cache, or an emulator?",
            "doctor/sts-clock",
        )


def _clock(state: State, seen: str, finding_id: str) -> Finding:
    return Finding(
        "clock",
        state,
        seen,
        wanted="All three within five minutes: AWS refuses signatures that are off by more.",
        fix=_CLOCK_FIXES.get(finding_id, _CLOCK_FIX),
        id=finding_id,
        explains=(
            *("exchange/clock", "exchange/expired-token", "exchange/invalid-token"),
            *("exchange/google-aws", "exchange/google-token", "doctor/aws-keys"),
        ),
    )
