"""The token source of a pod, a virtual machine, Cloud Run: the metadata server.

Invariant: one request for a token, no ping and no look-up of the account first; more only when the
server is not ready. It is asked over plain HTTP on a link-local address, never through a proxy,
and nothing it redirects to is followed.

Environment, read at each call: `GCE_METADATA_HOST` (host or host:port; as google-auth),
`KUBERNETES_SERVICE_HOST` and `K_SERVICE` (hints that waiting is worth while).
"""

from __future__ import annotations

import itertools
import os
import platform
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from gcp_aws_bridge import _http, _id_token
from gcp_aws_bridge._world import REAL, World, backoff_s
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import TokenError, TokenUnavailable, quoted

# Compute Engine, "About VM metadata": the address behind metadata.google.internal. By address, so
# that a pod's DNS (search domains, network policies) has no part in it.
_ADDRESS = "169.254.169.254"
_PATH = "/computeMetadata/v1/instance/service-accounts/{}/identity?{}"
_FLAVOR = {"Metadata-Flavor": "Google"}
# GKE, "About Workload Identity Federation", limitations: the metadata server of a new pod needs a
# few seconds before it answers. Twenty cover it with room, and stay below readiness time-outs.
_PATIENT_S = 20.0
# Where nothing suggests Google Cloud, one quick look; a laptop must not wait for its own chain.
_IMPATIENT_S = 0.8
_ATTEMPT_S = 5.0
# Compute Engine serves a cached token until about five minutes before its end: less life than
# this is a server that has not renewed yet, and STS needs it alive when it gets there.
_MIN_LIFE_S = 60.0
_RETRIED_STATUS = frozenset({408, 429, *range(500, 600)})
_DMI_PRODUCT = "/sys/class/dmi/id/product_name"


class _NotYet(Exception):
    """Worth asking again: the text says what was seen."""


@dataclass(frozen=True)
class MetadataServer:
    """ID tokens of the service account that this pod, instance or service runs as.

    Calling it asks the server each time; the server itself caches tokens.

    Args:
        audience: None for the role's.
        service_account: `default`, or the e-mail of one that is attached.
        deadline_s: Seconds to go on trying while the server is not ready. None: 20 where
            something suggests Google Cloud, else one try of at most 0.8 s.

    Raises:
        TokenUnavailable: No metadata server of Google's answered in time.
        TokenError: It answered, and this workload has no (usable) token.
    """

    audience: str | None = None
    service_account: str = "default"
    deadline_s: float | None = None
    world: World = field(default=REAL, repr=False, compare=False)

    def __call__(self) -> str:
        monotonic = self.world.monotonic
        wanted = self.deadline_s if self.deadline_s is not None else _patience_s()
        stop = monotonic() + wanted
        for failures in itertools.count():
            try:
                return self._ask(timeout_s=max(0.05, min(_ATTEMPT_S, stop - monotonic())))
            except _NotYet as seen:
                pause_s = backoff_s(failures, base_s=0.1, cap_s=2.0, jitter=self.world.jitter())
                if monotonic() + pause_s >= stop:
                    raise _gave_up(seen, tries=failures + 1, within_s=wanted) from None
            self.world.sleep(pause_s)
        raise AssertionError("unreachable")  # pragma: no cover

    def _ask(self, timeout_s: float) -> str:
        audience = self.audience or DEFAULT_AUDIENCE
        query = urlencode({"audience": audience, "format": "full"})
        path = _PATH.format(quote(self.service_account, safe="@"), query)
        try:
            answer = _http.get(
                _host(), path, _FLAVOR, timeout_s=timeout_s, monotonic=self.world.monotonic
            )
        except _http.Unreachable as error:
            raise _NotYet(str(error)) from None
        if answer.status in _RETRIED_STATUS:
            raise _NotYet(f"HTTP {answer.status} {quoted(answer.body, 120)}")
        # Compute Engine, "Query metadata": the answer carries the same header; whatever does not
        # is not Google's (EC2 and Azure serve their own metadata on the same address).
        if answer.headers.get("metadata-flavor") != "Google":
            raise _somebody_else(answer)
        if answer.status != 200:
            raise _refused(answer)
        return self._checked(answer, audience)

    def _checked(self, answer: _http.Answer, audience: str) -> str:
        origin = "The metadata server"
        token = _id_token.parse(answer.body, origin=origin)
        now = self.world.clock()
        if token.issuer not in _id_token.GOOGLE_ISSUERS:
            raise TokenError(
                f"{origin} gave a token issued by {quoted(token.issuer)}, not by Google.",
                fix="look at GCE_METADATA_HOST: something else answers there.",
                error_id="token/issuer",
            )
        left_s = (token.expiration - now).total_seconds()
        # A right server's clock settles whether a dead token is old or our own clock is wrong.
        clock_agrees = answer.date is None or abs(now - answer.date) <= _id_token.MAX_SKEW
        if clock_agrees and left_s < _MIN_LIFE_S and audience in token.audience:
            raise _NotYet(f"a token with {left_s:.0f} s of life left")
        _id_token.check(token, audience=audience, now=now, origin=origin, server_now=answer.date)
        return token.raw


def _host() -> str:
    return os.environ.get("GCE_METADATA_HOST") or _ADDRESS


def _patience_s() -> float:
    return _PATIENT_S if _looks_like_google() else _IMPATIENT_S


def _looks_like_google() -> bool:
    """Whether waiting for a metadata server is worth while; without asking any network."""
    if os.environ.get("GCE_METADATA_HOST") or os.environ.get("K_SERVICE"):
        return True  # told so, or Cloud Run (its container contract sets K_SERVICE)
    if platform.system() != "Linux":
        return platform.system() == "Windows" and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        with open(_DMI_PRODUCT, encoding="ascii", errors="replace") as file:
            return "Google" in file.read(200)  # "Google Compute Engine"; EC2 says "Amazon EC2"
    except OSError:
        # A sandbox (gVisor) shows no DMI; in Kubernetes it may well be GKE's.
        return "KUBERNETES_SERVICE_HOST" in os.environ


def _gave_up(seen: _NotYet, *, tries: int, within_s: float) -> TokenUnavailable:
    times = "once" if tries == 1 else f"{tries} times in {within_s:.0f} s"
    return TokenUnavailable(
        f"The metadata server at {_host()} was asked {times}: {seen}.",
        fix="on Google Cloud, look at the network policy, hostNetwork and the node pool's "
        "Workload Identity; elsewhere, pass token_source=GoogleCredentials(...) or TokenFile(...).",
        error_id="token/metadata-unreachable",
    )


def _somebody_else(answer: _http.Answer) -> TokenUnavailable:
    return TokenUnavailable(
        f"What answers at {_host()} is not Google's metadata server: HTTP {answer.status} without "
        "the header Metadata-Flavor: Google.",
        fix="look at GCE_METADATA_HOST and at proxies; elsewhere than on Google Cloud, pass "
        "token_source=GoogleCredentials(...) or TokenFile(...).",
        error_id="token/not-google",
    )


def _refused(answer: _http.Answer) -> TokenError:
    said = f"The metadata server answered HTTP {answer.status} {quoted(answer.body, 160)}"
    if answer.status == 404:
        # GKE: a Kubernetes service account without a linked Google one has no ID token.
        return TokenError(
            f"{said}: this workload has no Google service account to give an ID token for.",
            fix="annotate the Kubernetes service account with iam.gke.io/gcp-service-account and "
            "grant roles/iam.workloadIdentityUser; or trust the cluster's own OIDC issuer in AWS "
            "and pass token_source=TokenFile(...) with a projected token.",
            error_id="token/no-service-account",
        )
    if answer.status in range(300, 400):
        said += " (a redirect, which is not followed)"
    return TokenError(
        f"{said}; a token was asked for.",
        fix="check the service account's binding (roles/iam.workloadIdentityUser) and its name.",
        error_id="token/metadata-refused",
    )
