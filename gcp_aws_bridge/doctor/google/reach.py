"""Whether AWS and Google are reached, and whether it is they who answer. No token is shown."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from gcp_aws_bridge.doctor import reach
from gcp_aws_bridge.doctor.context import Clocks, left
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.google.settings import region_of
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.sts import host_of
from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.google._outbound import OutboundToken
from gcp_aws_bridge.google._transport import Transport

_NAT = (
    "kubectl get networkpolicy --all-namespaces\n"
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET\n"
    "allow egress to port 443 of {host}; a private subnet needs a NAT gateway{endpoint}"
)
_CURL = (
    "curl -sv --max-time 10 {url}\n"
    "where it answers later, gcp-aws-bridge doctor --timeout 10\n"
    "where it does not, let it pass the firewall or proxy: port {port} of {host}"
)
# What an error of requests' means of the way there: id, words, what to do.
_WAYS = {
    "ConnectTimeout": (
        "doctor/google-blocked",
        "connections to it get no answer: a firewall, network policy or route drops them",
        _NAT.replace("{endpoint}", ""),
    ),
    "ReadTimeout": (
        "doctor/google-silent",
        "it takes the connection and gives no whole answer: a proxy or firewall that holds it",
        _CURL,
    ),
    "ProxyError": ("doctor/google-proxy", "", ""),
    "SSLError": (
        "doctor/google-tls",
        (
            "TLS fails: something on the way answers with a certificate of its own, or the "
            "authority that signed it is not known here"
        ),
        (
            "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 "
            "-noout -issuer -subject -dates\n"
            "where the issuer is your own proxy's (AWS_CA_BUNDLE is for AWS alone):\n"
            "export REQUESTS_CA_BUNDLE=/path/to/its-authority.pem"
        ),
    ),
    "OSError": (
        "doctor/google-tls",
        "{bundle} names a file that is not there, so that no certificate can be trusted",
        "unset {bundle}, or give the path of a file of certificates (PEM)",
    ),
}
_CLOSED = (
    "doctor/google-closed",
    "it refuses connections, hangs up without an answer, or there is no route",
    "curl -sv --max-time 10 {url}\nlook at firewalls that read names in TLS, and at routes",
)
_PROXY_FIX = "env | grep -i _proxy\nmend HTTPS_PROXY, or except it: export NO_PROXY={host}"


def check_aws(walk: Walk) -> Iterator[Finding]:
    """Reach AWS's STS; where it is Google alone that asks it, that it is not reached is a note.

    Raises:
        BridgeError: The endpoint may not be asked, or was reached and is not STS.
    """
    if walk.is_file:
        yield Finding("sts", "skipped", "AWS is not asked: the token comes from a file.")
        return
    region = region_of(walk)
    walk.session.set_config_variable("region", region)
    walk.region = region
    found = reach.reached(walk, region, left(walk.federation).label)
    if found.id == "doctor/sts-blocked":
        fix = _NAT.format(host=host_of(left(walk.sts).url), endpoint=", or a VPC endpoint for STS")
        found = replace(found, fix=fix)
    if found.state != "broken" or _is_needed(walk):
        yield found
    elif found.id == "doctor/sts-dns":  # Google asks the same name
        yield replace(found, state="warning", explains=("exchange/google-aws",))
    else:
        words = f"Not reached from here, and need not be (Google asks it): {found.seen}"
        yield Finding("sts", "note", words)


def _is_needed(walk: Walk) -> bool:
    return (
        isinstance(walk.source, OutboundToken)
        or bool(os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        or "role_arn" in walk.session.get_scoped_config()
    )


def check_google(walk: Walk) -> Iterator[Finding]:
    """Reach Google's token endpoint."""
    yield _reached(walk, "google", left(walk.federation).sts_url)


def check_iam(walk: Walk) -> Iterator[Finding]:
    """Reach the IAM Credentials API, where a service account's tokens are made."""
    federation = left(walk.federation)
    if federation.service_account is None:
        yield Finding("iam", "skipped", "It is not asked: there is no service account to act as.")
        return
    path = f"{federation.account_path}:generateAccessToken"
    yield _reached(walk, "iam", federation.iam_url + path)


def _reached(walk: Walk, link: str, url: str) -> Finding:
    """Ask without a token: Google refuses that, in a form that is its own."""
    with Transport(timeout_s=walk.inner_timeout_s) as transport:
        proxy = transport.proxy(url)
    if problem := reach.unresolved(walk, host_of(proxy or url)):
        if proxy:
            return _broken(link, url, *_of_proxy(proxy, f"its name does not resolve: {problem}"))
        words = f"the name does not resolve ({problem}): DNS, or no way out of this network"
        fix = "getent hosts {host}\nin a pod, look at egress to kube-dns, port 53"
        return _broken(link, url, "doctor/google-dns", words, fix)
    with Transport(timeout_s=walk.inner_timeout_s) as transport:
        try:
            answer = walk.within(lambda: _asked(transport, url))
        except TimeoutError:
            return _broken(link, url, *_WAYS["ReadTimeout"])
        except Exception as error:  # noqa: BLE001 - google-auth wraps those of requests, not all
            return _unreached(link, url, proxy, error)
        if transport.date is not None:
            walk.clocks["Google"] = Clocks(transport.date, walk.world.clock())
        if problem := _foreign(answer.data):
            words = f"what answers is not Google's: HTTP {answer.status}, {problem}"
            fix = "curl -si {url}\nlook at proxies on the way, and at the configuration's addresses"
            return _broken(link, url, "exchange/google-answer", words, fix)
    through = f", through the proxy {quoted(proxy)}" if proxy else ""
    return Finding(link, "ok", f"{quoted(_origin(url))} answers{through}.")


def _asked(transport: Transport, url: str) -> Any:
    return transport(url, "POST", headers={"Content-Type": "application/json"}, body=b"{}")


def _foreign(body: bytes) -> str:
    """What shows that an answer is none of Google's APIs; empty where nothing does."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return "a web page" if body.lstrip()[:1] == b"<" else "no JSON"
    return "" if isinstance(found, dict) and "error" in found else "JSON of another form"


def _unreached(link: str, url: str, proxy: str, error: Exception) -> Finding:
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    reason = getattr(cause.args[0], "reason", cause) if cause.args else cause
    kind, said = type(cause).__name__, f"{type(reason).__name__} {quoted(reason, 300)}"
    if kind == "ProxyError" or (proxy and kind not in ("SSLError", "OSError")):
        return _broken(link, url, *_of_proxy(proxy, said))
    finding_id, words, fix = _WAYS.get(kind, _CLOSED)
    if kind == "OSError":
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in requests' order
        bundle = next((name for name in names if os.environ.get(name)), names[0])
        return _broken(link, url, finding_id, *(it.format(bundle=bundle) for it in (words, fix)))
    return _broken(link, url, finding_id, f"{words}: {said}", fix)


def _of_proxy(proxy: str, said: str) -> tuple[str, str, str]:
    words = f"the way there leads through the proxy {quoted(proxy)}, which does not let it pass"
    return "doctor/google-proxy", f"{words}: {said}", _PROXY_FIX


def _broken(link: str, url: str, finding_id: str, words: str, fix: str) -> Finding:
    host, port = host_of(url), str(urlsplit(url).port or 443)
    for name, value in (("host", host), ("port", port), ("url", _origin(url))):
        fix = fix.replace(f"{{{name}}}", shlex.quote(value))
    seen = f"{quoted(_origin(url))}: {words.rstrip('.')}."
    return Finding(link, "broken", seen, fix=fix, id=finding_id)


def _origin(url: str) -> str:
    """Without what else an address may hold: a path, a user and a password."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"
