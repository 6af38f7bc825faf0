"""Errors for requests to Google without an answer, or with an answer of another server.

The patterns match names of errors of requests and urllib3; `tls` has the messages of OpenSSL.
"""

from __future__ import annotations

import re

from gcp_aws_bridge._sts.tls import tls_failure
from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge.exceptions import ExchangeError, quoted
from gcp_aws_bridge.google._federation import Federation

_TLS = "openssl s_client -connect {host}:443 shows the certificate."
_OF_TLS = "hostname mismatch|doesn't match|not valid for|certificate|SSLError|SSL:|TLSV1"
_NO_BUNDLE = (
    "invalid path|could not find a suitable TLS CA",
    "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates.",
    "unset it, or give the path of a file of certificates (PEM).",
)
# In this order, after TLS: the message of a proxy error may contain an error of DNS.
_SIGNS = (
    (
        "ProxyError|InvalidProxyURL|ProxySchemeUnknown",
        "The proxy does not let it pass.",
        "check HTTPS_PROXY, or except {host} by NO_PROXY.",
    ),
    (
        "NameResolution|getaddrinfo|name or service not known|failed to resolve",
        "The name does not resolve.",
        "check DNS: getent hosts {host}; in a pod, egress to kube-dns, port 53.",
    ),
    (
        "Timeout|timed out",
        "There was no answer in time.",
        "check egress rules, routes and proxy settings for {host}, port 443.",
    ),
    (
        "NewConnection|refused|reset|RemoteDisconnected|IncompleteRead|ProtocolError|aborted",
        "The connection was refused or closed.",
        "check egress rules, firewalls and proxy settings for {host}, port 443.",
    ),
)
_UNKNOWN = (
    "",
    "The cause is not known to gcp-aws-bridge.",
    "curl -sv {url} from the same place, and gcp-aws-bridge doctor --google.",
)


def not_reached(federation: Federation, error: Exception) -> ExchangeError:
    """Return the error for a network error between this machine and Google."""
    cause = error.args[0] if error.args else error
    text = f"{type(cause).__name__} {cause}"
    failure = tls_failure(text, "REQUESTS_CA_BUNDLE", "the token_url of the configuration")
    tls = (_OF_TLS, f"TLS fails: {failure.seen}.", f"{failure.fix} {_TLS}")
    signs = (sign for sign in (_NO_BUNDLE, tls, *_SIGNS) if re.search(sign[0], text, re.IGNORECASE))
    _, seen, fix = next(signs, _UNKNOWN)
    certificate = "certificate" in text.lower()
    url = federation.iam_url if federation.iam_url in text else federation.sts_url
    host = _host_in(text) or url.partition("//")[2].partition("/")[0]
    return ExchangeError(
        f"Google was not reached for {federation.label}. {seen} {type(cause).__name__} "
        f"{quoted(cause, 300)}.",
        fix=fix.replace("{host}", host).replace("{url}", url),
        error_id="exchange/google-unreachable",
        code=type(cause).__name__,
        # A ValueError of requests is about an address, for example of a malformed proxy.
        retryable=not certificate and not isinstance(cause, ValueError),
    )


def _host_in(text: str) -> str:
    """Return the host in an error of urllib3."""
    found = re.search(r"host='([A-Za-z0-9.:-]{1,255})'", text)
    return found[1] if found else ""


def not_from_google(federation: Federation, error: Exception, status: int) -> ExchangeError:
    """Return the error for an answer that is not from Google.

    Shows only the type of *error*, since its message quotes the answer.
    """
    return ExchangeError(
        f"For {federation.label}, something answered what Google does not: HTTP {status} "
        f"({type(error).__name__}).",
        fix="look at proxies on the way, and at the token_url of the configuration.",
        error_id="exchange/google-answer",
        code=type(error).__name__,
        retryable=status in TRANSIENT_STATUS or status == 200,
    )


def not_sent(federation: Federation, error: Exception) -> ExchangeError:
    """Return the error for a request that failed before an answer arrived."""
    return ExchangeError(
        f"The request to Google for {federation.label} failed before an answer came: "
        f"{type(error).__name__}.",
        fix="check request=, which must be a google.auth.transport.Request, or omit it.",
        error_id="exchange/google-request",
        code=type(error).__name__,
    )
