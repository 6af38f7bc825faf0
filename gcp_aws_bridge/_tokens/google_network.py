"""Causes of requests that did not reach Google, by the messages of requests and urllib3.

The patterns match names of their errors; `tls` has the messages of OpenSSL.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from gcp_aws_bridge._tokens.tls import tls_failure
from gcp_aws_bridge.exceptions import quoted

_TLS = "openssl s_client -connect {host}:{port} shows the certificate."
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
        "check egress rules, routes and proxy settings for {host}, port {port}.",
    ),
    (
        "NewConnection|refused|reset|RemoteDisconnected|IncompleteRead|ProtocolError|aborted",
        "The connection was refused or closed.",
        "check egress rules, firewalls and proxy settings for {host}, port {port}.",
    ),
)
_UNKNOWN = (
    "",
    "The cause is not known to gcp-aws-bridge.",
    "curl -sv {url} from the same place, and gcp-aws-bridge doctor.",
)


class NetworkFailure(NamedTuple):
    """A network error.

    Attributes:
        seen: Description of the problem, a sentence.
        fix: Suggested fix.
        shown: The error, for the details.
        passes: Whether the next attempt may succeed without any change.
    """

    seen: str
    fix: str
    shown: str
    passes: bool


def network_failure(error: BaseException, url: str, setting: str) -> NetworkFailure:
    """Return why *error* occurred.

    Args:
        error: Error of requests or urllib3.
        url: Address of the request, if the error does not name the host.
        setting: Setting that names the server, for the fix.
    """
    text = f"{type(error).__name__} {error}"
    failure = tls_failure(text, "REQUESTS_CA_BUNDLE", setting)
    tls = (_OF_TLS, f"TLS fails: {failure.seen}.", f"{failure.fix} {_TLS}")
    signs = (sign for sign in (_NO_BUNDLE, tls, *_SIGNS) if re.search(sign[0], text, re.IGNORECASE))
    _, seen, fix = next(signs, _UNKNOWN)
    for name, value in {**_address(url), **_address_in(text), "url": url}.items():
        fix = fix.replace(f"{{{name}}}", value)
    return NetworkFailure(
        seen,
        fix,
        f"{type(error).__name__} {quoted(error, 300)}",
        # A ValueError of requests is about an address, for example of a malformed proxy.
        "certificate" not in text.lower() and not isinstance(error, ValueError),
    )


def is_missing_bundle(error: BaseException) -> bool:
    """Return whether requests finds no file of certificates, which it reports as an OSError."""
    return isinstance(error, OSError) and re.search(_NO_BUNDLE[0], str(error)) is not None


def _address(url: str) -> dict[str, str]:
    parsed = urlsplit(url)
    port = parsed.port or (80 if parsed.scheme == "http" else 443)
    return {"host": parsed.hostname or "", "port": str(port)}


def _address_in(text: str) -> dict[str, str]:
    """Return the address in an error of urllib3; empty if there is none."""
    found = re.search(r"host='(?P<host>[A-Za-z0-9.:-]{1,255})', port=(?P<port>\d+)", text)
    return found.groupdict() if found else {}
