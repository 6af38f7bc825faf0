"""Parts of the checks of every endpoint: DNS, proxy, certificates, texts of findings."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from gcp_aws_bridge.doctor.context import Context
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError, quoted

SHOW_CERTIFICATE = (
    "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 "
    "-noout -issuer -subject -dates\n"
)
ALLOW = "let it pass the firewall or proxy: port {port} of {host}"
TRY_LONGER = (
    "curl -sv --max-time 10 {url}\n"
    "where it answers later, gcp-aws-bridge doctor --timeout 10\n"
    f"where it does not, {ALLOW}"
)

_PROXY_FIX = (
    "env | grep -i _proxy\ncorrect HTTPS_PROXY, or exclude the host from it: export NO_PROXY={host}"
)


class Problem(NamedTuple):
    """A fault of an endpoint. In *fix*, {host}, {port} and {url} stand for its own."""

    id: str
    seen: str
    fix: str


class Endpoint(NamedTuple):
    """A server that a check connects to.

    Attributes:
        check: Name of the check.
        url: Its address, to be shown: without user and password.
        proxy: The proxy that requests go through; empty for none.
    """

    check: str
    url: str
    proxy: str

    def unresolved(self, context: Context, problem: Problem, proxy_id: str) -> Finding | None:
        """Return a finding if the host to connect to does not resolve, else None.

        Args:
            problem: {reason} in it stands for the reason.
            proxy_id: Id of the finding if it is the proxy's name.
        """
        host = host_of(self.proxy or self.url)
        try:
            reason = context.within(lambda: resolve(host))
        except TimeoutError:
            reason = f"no answer within {context.timeout_s:g} s"
        if reason and self.proxy:
            return self.bad_proxy(proxy_id, f"its name does not resolve: {reason}")
        seen = problem.seen.replace("{reason}", reason)
        return self.fails(problem._replace(seen=seen)) if reason else None

    @property
    def _shown_proxy(self) -> str:
        """The proxy without user and password, which it may have without a scheme, too."""
        scheme, separator, rest = self.proxy.rpartition("://")
        return quoted(f"{scheme}{separator}{rest.rpartition('@')[2]}")

    def bad_proxy(self, finding_id: str, details: str) -> Finding:
        """Return the finding for a proxy that cannot be used."""
        seen = f"requests go through the proxy {self._shown_proxy}, which does not let them pass"
        return self.fails(Problem(finding_id, f"{seen}: {details}", _PROXY_FIX))

    def works(self, details: str = "") -> Finding:
        """Return the finding for an endpoint that answers."""
        through = f", through the proxy {self._shown_proxy}" if self.proxy else ""
        return Finding(self.check, "ok", f"{quoted(self.url)} answers{through}{details}.")

    def fails(self, problem: Problem) -> Finding:
        """Return the finding for a problem."""
        port = str(urlsplit(self.url).port or 443)
        fix = problem.fix
        for name, value in (("host", host_of(self.url)), ("port", port), ("url", self.url)):
            fix = fix.replace(f"{{{name}}}", shlex.quote(value))
        seen = f"{quoted(self.url)}: {problem.seen.rstrip('.')}."
        return Finding(self.check, "broken", seen, fix=fix, id=problem.id)


def bundle_problem(finding_id: str, variables: Iterable[str]) -> Problem | None:
    """Return the problem if the first of *variables* that is set names no file of certificates.

    Args:
        variables: In the order in which the HTTP library reads them.
    """
    name = next((one for one in variables if os.environ.get(one)), "")
    if not name or os.path.exists(os.environ[name]):
        return None
    return Problem(
        finding_id,
        f"{name} names a file that does not exist, so no certificate can be trusted",
        f"unset {name}, or set it to the path of a file of certificates (PEM)",
    )


def late_fix(url: str) -> str:
    """Return what to do about a server that accepts connections and does not answer in time."""
    return (
        "where it is slow, gcp-aws-bridge doctor --timeout 10\n"
        f"where it hangs, {ALLOW.format(port=443, host=host_of(url))}"
    )


def late_error(service: str, url: str, context: Context, error_id: str) -> ExchangeError:
    """Return the error for a server that gives no complete answer in time."""
    seen = f"{service} gave no complete answer within {context.timeout_s:g} s."
    return ExchangeError(seen, fix=late_fix(url), error_id=error_id)


def resolve(host: str) -> str:
    """Return why *host* does not resolve; empty if it does."""
    try:
        socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return str(error.strerror or error).lower()
    except (OSError, ValueError) as error:  # not a host name: too long a label, a null
        return str(error).lower()
    return ""


def host_of(url: str) -> str:
    """Return the host of an address with or without a scheme."""
    with contextlib.suppress(ValueError):
        return urlsplit(url if "://" in url else f"//{url}").hostname or ""
    return ""
