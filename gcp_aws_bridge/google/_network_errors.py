"""What to say when Google is not reached, or something else answers.

The names of errors are those of requests and urllib3, and OpenSSL's words: what is in neither is
said to be unknown.
"""

from __future__ import annotations

import re

from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge.exceptions import ExchangeError, quoted
from gcp_aws_bridge.google._federation import Federation

_TLS = (
    "openssl s_client -connect {host} shows the certificate; where a proxy inspects TLS, set "
    "REQUESTS_CA_BUNDLE to the file of its authority."
)
# In the order of trying: an error of a proxy may hold one of TLS or DNS in its text.
_SIGNS = (
    (
        "invalid path|could not find a suitable TLS CA",
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates.",
        "unset it, or give the path of a file of certificates (PEM).",
    ),
    (
        "hostname mismatch|doesn't match|not valid for",
        "What answers has a certificate for another name.",
        f"something on the way answers as Google. {_TLS}",
    ),
    (
        "certificate",
        "The certificate is not trusted.",
        f"check REQUESTS_CA_BUNDLE and what intercepts TLS on the way. {_TLS}",
    ),
    (
        "SSLError|SSL:|TLSV1",
        "TLS failed on the way.",
        f"look at proxies and firewalls that read or change TLS. {_TLS}",
    ),
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
    "The cause is not known to gcp-aws-bridge.",
    "curl -sv {url} from the same place, and gcp-aws-bridge doctor --google.",
)


def not_reached(federation: Federation, error: Exception) -> ExchangeError:
    """Return the error for a network fault on the way to Google or back."""
    cause = error.args[0] if error.args else error
    text = f"{type(cause).__name__} {cause}"
    signs = (one for one in _SIGNS if re.search(one[0], text, re.IGNORECASE))
    _, seen, fix = next(signs, ("", *_UNKNOWN))
    certificate = "certificate" in text.lower()
    url = federation.iam_url if federation.iam_url in text else federation.sts_url
    host = _host_in(text) or url.partition("//")[2].partition("/")[0]
    return ExchangeError(
        f"Google was not reached for {federation.label}. {seen} {type(cause).__name__} "
        f"{quoted(cause, 300)}.",
        fix=fix.replace("{host}", host).replace("{url}", url),
        error_id="exchange/google-unreachable",
        code=type(cause).__name__,
        # requests' ValueErrors are about addresses, of a malformed proxy for example.
        retryable=not certificate and not isinstance(cause, ValueError),
    )


def _host_in(text: str) -> str:
    """Return the host that urllib3's error names."""
    found = re.search(r"host='([A-Za-z0-9.:-]{1,255})'", text)
    return found[1] if found else ""


def not_from_google(federation: Federation, error: Exception, status: int) -> ExchangeError:
    """Return the error for an answer that is not Google's; of *error* the type alone is shown.

    Its text quotes the answer.
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
    """Return the error for a request that failed before there was an answer."""
    return ExchangeError(
        f"The request to Google for {federation.label} failed before an answer came: "
        f"{type(error).__name__}.",
        fix="check request=, which must be a google.auth.transport.Request; without it the library "
        "has one of its own.",
        error_id="exchange/google-request",
        code=type(error).__name__,
    )
