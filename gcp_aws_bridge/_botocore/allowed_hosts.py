"""The hosts that may receive signed requests, compared exactly.

A host that receives a signed request can read the session token, and can send the request to AWS
itself for some minutes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from gcp_aws_bridge._tokens.https import is_confidential, is_plain_http
from gcp_aws_bridge.exceptions import ConfigError, quoted

_AUTHORITY = re.compile(
    r"(?P<name>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>\d{1,5}))?"
)
_PORTS = {"http": 80, "https": 443}


class Authority(NamedTuple):
    """Host and port of a URL or of a Host header, in lower case; IPv6 addresses in brackets."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Authority | None:
        """Return the parts of `host`, `host:port`, `[IPv6]` or `[IPv6]:port`, or None.

        Other forms give None: a user name, a dot at the end, a wildcard, letters outside of ASCII
        (even those whose lower case is ASCII).
        """
        found = _AUTHORITY.fullmatch(text.lower()) if text.isascii() else None
        if found is None:
            return None
        name, port = found["name"], int(found["port"]) if found["port"] else None
        if port is not None and not 0 < port < 65536:
            return None
        if found["ipv6"]:
            try:
                name = f"[{ipaddress.IPv6Address(found['ipv6'])}]"
            except ValueError:
                return None
        return cls(name, port)

    def with_port(self, scheme: str) -> Authority:
        """Return the authority with the port to which a client connects."""
        return self._replace(port=self.port or _PORTS.get(scheme))

    def without_port(self, scheme: str) -> str:
        """Return the Host header that clients send, without the default port of *scheme*."""
        is_default = self.port in (None, _PORTS.get(scheme))
        return self.host if is_default else f"{self.host}:{self.port}"


class AllowedHosts:
    """The hosts that may receive signed requests.

    Args:
        hosts: Host names or addresses; with the port, unless it is the default port.

    Raises:
        ConfigError: *hosts* is empty, or one of them is malformed.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        if isinstance(hosts, (str, bytes)) or not isinstance(hosts, Collection) or not hosts:
            raise _malformed(f"hosts is {quoted(hosts)}; it is a list of at least one host.")
        self._hosts = {one: Authority.parse(one) if isinstance(one, str) else None for one in hosts}
        for one, parsed in self._hosts.items():
            if parsed is None:
                raise _malformed(f"{quoted(one)} in hosts is not one exact host name or address.")

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def require(self, url: str, host_headers: Sequence[str]) -> str:
        """Check that a request may be signed, and return its Host header.

        Args:
            url: The URL to which the client connects.
            host_headers: Host headers that the request already has.

        Raises:
            ConfigError: The host is not allowed, or the request would be sent unencrypted.
        """
        scheme, netloc = _split(url)
        found = Authority.parse(netloc)
        allowed = {one.with_port(scheme) for one in self._hosts.values() if one is not None}
        if found is None or found.with_port(scheme) not in allowed:
            raise _not_allowed(
                f"A request to {quoted(netloc.rpartition('@')[2])} is not signed: the hosts of "
                f"this signer are {quoted(', '.join(self._hosts))}."
            )
        if not is_confidential(url, _proxy(url)):
            raise ConfigError(
                f"A request to {quoted(netloc)} is not signed: the network could read it. Signed "
                "requests go over HTTPS only (plain HTTP to this machine alone, without a proxy).",
                fix="use an https:// address.",
                error_id="config/signer-plain-http",
            )
        expected = found.without_port(scheme)
        if not host_headers:
            return expected
        [header, *more] = host_headers
        named = Authority.parse(header)
        if more or named is None or named.without_port(scheme) != expected:
            raise _not_allowed(
                f"A request to {quoted(expected)} is not signed: its Host header is "
                f"{quoted(', '.join(host_headers))}."
            )
        return header


def _split(url: str) -> tuple[str, str]:
    """Return scheme and authority of *url*; empty texts if HTTP clients read it differently."""
    # `urlsplit` removes tabs and line breaks; a backslash ends the host for some HTTP clients.
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return "", ""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an address in them
        return "", ""
    return parts.scheme, parts.netloc


def _proxy(url: str) -> str:
    """Return the proxy through which a plain HTTP request would be sent, or an empty text."""
    if not is_plain_http(url):
        return ""  # a tunnel
    from urllib.request import getproxies, proxy_bypass

    host = urlsplit(url).hostname or ""
    proxies = getproxies()
    return "" if proxy_bypass(host) else proxies.get("http") or proxies.get("all") or ""


def _malformed(summary: str) -> ConfigError:
    return ConfigError(
        summary,
        fix='name each host that may receive signed requests: bridge.signer(…, hosts=["abc123.'
        'execute-api.eu-west-1.amazonaws.com"]); no URL, no wildcard; xn--… for other letters.',
        error_id="config/signer-hosts",
    )


def _not_allowed(summary: str) -> ConfigError:
    return ConfigError(
        summary,
        fix="correct the URL, or add its host to hosts=[…] of bridge.signer() if this host may "
        "receive requests that are signed with the role.",
        error_id="config/host-not-allowed",
    )
