"""Causes and fixes of failed TLS handshakes, by the messages of Python's `ssl` module and OpenSSL.

Sources of the messages: OpenSSL's `ssl/ssl_err.c` and `crypto/x509/x509_txt.c`, which name alerts
and verification results; Python's `Modules/_ssl.c`; urllib3's `util/ssl_match_hostname.py`.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class TlsFailure(NamedTuple):
    """A kind of failure.

    Attributes:
        words: Pattern that matches the error message.
        seen: Description of the problem.
        fix: Suggested fix.
        passes: Whether the next attempt may succeed without any change.
    """

    words: str
    seen: str
    fix: str
    passes: bool


# What the fixes call {bundle} and {endpoint}, for STS.
_BUNDLE = "AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE or ca_bundle of the AWS profile"
_ENDPOINT = "AWS_ENDPOINT_URL_STS"
# The order matters: a message may match several patterns.
_FAILURES = (
    TlsFailure(
        r"No such file|Is a directory|Not a directory|Permission denied|NO_CERTIFICATE_OR_CRL_FOUND"
        r"|NO_START_LINE|PEM lib|BAD_BASE64_DECODE|not enough data",
        "the file of trusted certificates cannot be used",
        "set or correct {bundle}: a readable file of certificates (PEM).",
        False,
    ),
    TlsFailure(
        r"doesn't match|Hostname mismatch|IP address mismatch|no appropriate subjectAltName",
        "the certificate is for another name",
        "check {endpoint}, and what answers there: a proxy, or a wrong DNS entry.",
        False,
    ),
    TlsFailure(
        r"ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)"
        r"|alert (bad certificate|certificate |unknown ca|unsupported certificate)"
        r"|CERTIFICATE_REQUIRED|certificate required",
        "the server requests a client certificate, or does not accept it",
        "check {endpoint} and HTTPS_PROXY: the service requests no client certificate.",
        False,
    ),
    TlsFailure(
        r"certificate has expired|not yet valid",
        "the certificate is not valid at this time",
        "compare `date -u` with another machine; if the clock is right, what answers there needs a "
        "new certificate.",
        False,
    ),
    TlsFailure(
        r"self.signed|issuer certificate|certificate verify failed(?!:)",
        "the authority that signed the certificate is not trusted here, as where a proxy "
        "intercepts TLS",
        "if the proxy is your own, name its authority: {bundle}.",
        False,
    ),
    TlsFailure(
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "the certificate, or one of its authority, was rejected",
        "see the reason in the details; what answers there needs another certificate, also where a "
        "proxy intercepts TLS.",
        False,
    ),
    TlsFailure(
        r"WRONG_VERSION_NUMBER|HTTPS?_(PROXY_)?REQUEST|UNKNOWN_PROTOCOL|wrong version number",
        "what answers does not speak TLS",
        "check the port of {endpoint}, and HTTPS_PROXY: a server of plain HTTP answers.",
        True,
    ),
    TlsFailure(
        r"BAD_RECORD_MAC|bad record mac|DECRYPTION_FAILED|record layer failure",
        "a TLS record arrived damaged",
        "it mostly passes; if not, look at proxies on the way, and at forked processes that use "
        "one connection.",
        True,
    ),
    TlsFailure(
        r"ALERT_|alert |UNRECOGNIZED_NAME|NO_PROTOCOLS_AVAILABLE|UNSUPPORTED_PROTOCOL|DH_KEY",
        "the other side refused the handshake (protocol version, cipher or name)",
        "check what answers there: a proxy, or a firewall that filters names.",
        True,
    ),
    TlsFailure(
        r"EOF|closed|reset|timed out",
        "the connection was closed during the handshake",
        "look at firewalls that filter names, and at proxies.",
        True,
    ),
)
_UNKNOWN = TlsFailure(
    "", "the handshake failed", "look at proxies on the way, and at the details.", True
)


def tls_failure(text: str, bundle: str = _BUNDLE, endpoint: str = _ENDPOINT) -> TlsFailure:
    """Return the kind of failure for *text*, the message of an `ssl.SSLError`.

    Args:
        bundle: Settings that name a file of trusted certificates, for the fix.
        endpoint: Setting that names the server, for the fix.
    """
    kind = next((kind for kind in _FAILURES if re.search(kind.words, text)), _UNKNOWN)
    return kind._replace(fix=kind.fix.format(bundle=bundle, endpoint=endpoint))
