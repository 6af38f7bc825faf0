"""Checks whether AWS and Google are reached and answer as themselves. Sends no token."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from gcp_aws_bridge.doctor import network, reach
from gcp_aws_bridge.doctor.context import ClockReading, required
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.google.settings import region_of
from gcp_aws_bridge.doctor.network import Endpoint, Problem
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.google._outbound import OutboundToken
from gcp_aws_bridge.google._transport import Transport

_EGRESS = (
    "kubectl get networkpolicy --all-namespaces\n"
    "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET\n"
    "allow egress to port 443 of {host}; a private subnet needs a NAT gateway"
)
_SILENT = Problem(
    "doctor/google-silent",
    "it accepts the connection and gives no complete answer: a proxy or firewall holds it",
    network.TRY_LONGER,
)
# By name of the requests error.
_PROBLEMS = {
    "ConnectTimeout": Problem(
        "doctor/google-blocked",
        "connections to it get no answer: a firewall, network policy or route drops them",
        _EGRESS,
    ),
    "ReadTimeout": _SILENT,
    "SSLError": Problem(
        "doctor/google-tls",
        "TLS fails: a proxy answers with a certificate of its own, or the authority that signed "
        "the certificate is not known here",
        f"{network.SHOW_CERTIFICATE}"
        "where the issuer is your own proxy's (AWS_CA_BUNDLE is for AWS only):\n"
        "export REQUESTS_CA_BUNDLE=/path/to/its-authority.pem",
    ),
}
_CLOSED = Problem(
    "doctor/google-closed",
    "it refuses or closes connections, or there is no route",
    "curl -sv --max-time 10 {url}\ncheck firewalls that read host names in TLS, and routes",
)
_NO_DEFAULT_BUNDLE = Problem(
    "doctor/google-tls",
    "the file of trusted certificates of the package certifi does not exist",
    "python -m pip install --force-reinstall certifi\n"
    "or set REQUESTS_CA_BUNDLE to the path of a file of certificates (PEM)",
)
_DNS = Problem(
    "doctor/google-dns",
    "the name does not resolve ({reason}): DNS, or no route out of this network",
    "getent hosts {host}\nin a pod, check egress to kube-dns, port 53",
)
_OTHER_SERVER_FIX = (
    "curl -si {url}\nlook at proxies on the way, and at the configuration's addresses"
)
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in requests' order


def check_aws(context: GoogleContext) -> Iterator[Finding]:
    """Reach AWS's STS. If only Google calls it, a failure from here is only a note.

    Raises:
        BridgeError: The endpoint is not allowed, or another server answers there.
    """
    if context.is_file:
        yield Finding("sts", "skipped", "AWS is not called: the token comes from a file.")
        return
    context.region = region = region_of(context)
    context.session.set_config_variable("region", region)
    found = reach.reach_sts(context, region, required(context.federation).label)
    if found.id == "doctor/sts-blocked":
        host = network.host_of(required(context.sts).url)
        fix = f"{_EGRESS.format(host=host)}, or a VPC endpoint for STS"
        found = replace(found, fix=fix)
    if found.state != "broken" or _is_needed(context):
        yield found
    elif found.id == "doctor/sts-dns":  # Google resolves the same name
        yield replace(found, state="warning", explains=("exchange/google-aws",))
    else:
        words = f"Not reached from here, which is not needed (Google calls it): {found.seen}"
        yield Finding("sts", "note", words)


def _is_needed(context: GoogleContext) -> bool:
    return (
        isinstance(context.source, OutboundToken)
        or bool(os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        or "role_arn" in context.session.get_scoped_config()
    )


def check_google(context: GoogleContext) -> Iterator[Finding]:
    """Reach Google's token endpoint."""
    yield _reach(context, "google", required(context.federation).sts_url)


def check_iam(context: GoogleContext) -> Iterator[Finding]:
    """Reach the IAM Credentials API, which returns a service account's tokens."""
    federation = required(context.federation)
    if federation.service_account is None:
        yield Finding("iam", "skipped", "Not called: there is no service account to act as.")
        return
    path = f"{federation.account_path}:generateAccessToken"
    yield _reach(context, "iam", federation.iam_url + path)


def check_clock(context: GoogleContext) -> Iterator[Finding]:
    """Compare this machine's clock with the clocks of both clouds."""
    return reach.check_clock(context, reach.GOOGLE_CLOCK)


def _reach(context: GoogleContext, check: str, url: str) -> Finding:
    """Send a request without a token, which Google rejects in a form of its own."""
    with Transport(timeout_s=context.request_timeout_s) as transport:
        endpoint = Endpoint(check, _origin(url), transport.proxy(url))
        if found := endpoint.unresolved(context, _DNS, "doctor/google-proxy"):
            return found
        try:
            answer = context.within(lambda: _post(transport, url))
        except TimeoutError:
            return endpoint.fails(_SILENT)
        except Exception as error:  # noqa: BLE001 - google-auth wraps most errors of requests
            return _failure(endpoint, error)
        if transport.date is not None:
            context.clocks["Google"] = ClockReading(transport.date, context.world.clock())
        if reason := _not_google(answer.data):
            seen = f"the server that answers is not Google: HTTP {answer.status}, {reason}"
            return endpoint.fails(Problem("exchange/google-answer", seen, _OTHER_SERVER_FIX))
    return endpoint.works()


def _post(transport: Transport, url: str) -> Any:
    return transport(url, "POST", headers={"Content-Type": "application/json"}, body=b"{}")


def _not_google(body: bytes) -> str:
    """Return what an answer is if it is not from a Google API; else empty."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return "a web page" if body.lstrip()[:1] == b"<" else "not JSON"
    return "" if isinstance(found, dict) and "error" in found else "JSON of another form"


def _failure(endpoint: Endpoint, error: Exception) -> Finding:
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    reason = getattr(cause.args[0], "reason", cause) if cause.args else cause
    name, details = type(cause).__name__, f"{type(reason).__name__} {quoted(reason, 300)}"
    if name == "ProxyError" or (endpoint.proxy and name not in ("SSLError", "OSError")):
        return endpoint.bad_proxy("doctor/google-proxy", details)
    # requests raises a bare OSError for a file of certificates that does not exist.
    if name == "OSError" and (bundle := network.bundle_problem("doctor/google-tls", _BUNDLES)):
        return endpoint.fails(bundle)
    if name == "OSError" and "certificate bundle" in str(reason):  # the default file, of certifi
        return endpoint.fails(_NO_DEFAULT_BUNDLE)
    found = _PROBLEMS.get(name, _CLOSED)
    return endpoint.fails(found._replace(seen=f"{found.seen}: {details}"))


def _origin(url: str) -> str:
    """Return *url* without its path, user and password."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"
