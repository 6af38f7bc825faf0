"""The metadata server: token source of pods, virtual machines and Cloud Run.

Invariant: one request for a token, without a ping or a look-up of the account; retries only while
the server is not ready. Requests use plain HTTP to a link-local (IPv4) or unique local (IPv6)
address, never a proxy, and do not follow redirects.

Environment: `GCE_METADATA_HOST` (host or host:port, as in google-auth), read when a session or
credentials are created, and in each call of an unbound source; `KUBERNETES_SERVICE_HOST`,
`K_SERVICE` and `CLOUD_RUN_JOB` (hints that waiting makes sense), read in each call;
`GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS`, read like the host.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from gcp_aws_bridge._cache.clock import World, backoff_s
from gcp_aws_bridge._settings import metadata_deadline_s
from gcp_aws_bridge._tokens import environment, http, id_token
from gcp_aws_bridge._tokens.form import encoded, urlencoded
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import TokenError, quoted

# Compute Engine, "About VM metadata": the address of metadata.google.internal. Using the address
# avoids problems of a pod's DNS (search domains, network policies).
_ADDRESS = "169.254.169.254"
# Its address where there is no IPv4. Instances with both families have no route to it (Google's
# repository guest-configs, google_set_metadata_network).
_IPV6_ADDRESS = "[fd20:ce::254]"
_PATH = "/computeMetadata/v1/instance/service-accounts/{}/{}?{}"
_FLAVOR = {"Metadata-Flavor": "Google"}
# GKE, "About Workload Identity Federation", limitations: the metadata server of a new pod needs a
# few seconds before it answers. 20 s is enough, and below readiness time-outs.
_PATIENT_S = 20.0
# For machines without signs of Google Cloud: a laptop must not wait before it tries other sources.
_IMPATIENT_S = 0.8
_ATTEMPT_S = 5.0
# Compute Engine serves a cached token until about five minutes before it expires. With less time
# left than this, the server has not refreshed it yet, and it may expire before STS gets it.
_MIN_LIFE_S = 60.0
_DMI_PRODUCT = "/sys/class/dmi/id/product_name"
_T = TypeVar("_T")


class GoogleEnvironment(NamedTuple):
    """The two credentials files and the metadata server in the environment.

    Sources store them when a session or credentials are created, so that they keep their identity
    when the environment changes.
    """

    credentials_file: str | None
    gcloud_file: str
    metadata_host: str

    @classmethod
    def now(cls) -> GoogleEnvironment:
        """Read the current environment."""
        file = environment.credentials_file(os.environ)
        # gcloud's file is only used if the variable is not set.
        gcloud = "" if file else environment.gcloud_file(os.environ)
        return cls(file, gcloud, metadata_host())


class _NotYet(Exception):
    """Raised if a retry may help. *answered*: whether Google's server has answered, at *host*."""

    def __init__(self, host: str, seen: str, *, answered: bool) -> None:
        super().__init__(seen)
        self.host, self.answered = host, answered


class MetadataRequests:
    """Requests to the metadata server, with retries while it is not ready.

    Args:
        audience: Audience of ID tokens. None: the default audience.
        world: Clocks and other dependencies.
        host: The server.
        deadline_s: Seconds to retry, by the setting; see `MetadataServer`.
    """

    audience: str | None
    service_account: str = "default"
    deadline_s: float | None = None
    world: World
    _host: str | None
    _deadline_s: float | None

    def __init__(
        self, audience: str | None, world: World, host: str, deadline_s: float | None
    ) -> None:
        self.audience, self.world = audience, world
        self._host, self._deadline_s = host, deadline_s

    @without_inner_frames
    def __call__(self) -> str:
        return self._patiently(self._id_token)

    def _access_token(self, scopes: Sequence[str]) -> tuple[str, float]:
        """Return an access token and the seconds until it expires; raises like a call."""
        query = urlencoded([("scopes", ",".join(scopes))])
        path = _PATH.format(encoded(self.service_account, safe="@"), "token", query)

        def ask(host: str, timeout_s: float) -> tuple[str, float]:
            answer = self._look_up(path, host, timeout_s)
            try:
                document = json.loads(answer.body)
                return str(document["access_token"]), float(document["expires_in"])
            except (ValueError, TypeError, KeyError, RecursionError):
                raise TokenError(
                    "The metadata server gave no access token that can be read.",
                    fix="look at GCE_METADATA_HOST: another server may answer there.",
                    error_id="token/metadata-refused",
                ) from None

        return self._patiently(ask)

    def _patiently(self, ask: Callable[[str, float], _T]) -> _T:
        """Call *ask* with the host and a time-out, and retry while the server is not ready."""
        monotonic = self.world.monotonic
        host = self._host or metadata_host()
        chosen_s = self._chosen_s()
        patient = chosen_s is not None or looks_like_google(self._host)
        wanted_s = chosen_s if chosen_s is not None else _PATIENT_S if patient else _IMPATIENT_S
        stop, excused = monotonic() + wanted_s, False
        for failures in itertools.count():
            asked = monotonic()
            timeout_s = max(0.05, min(_ATTEMPT_S, stop - asked))
            try:
                return ask(host, timeout_s)
            except _NotYet as seen:
                overslept_s = monotonic() - asked - timeout_s
                if overslept_s > 1 and not excused:
                    # The process may have been frozen, so allow the time again. Only once: a slow
                    # name resolution may exceed each time-out.
                    excused = True
                    stop += overslept_s
                pause_s = backoff_s(failures, base_s=0.1, cap_s=2.0, jitter=self.world.jitter())
                if not patient or monotonic() + pause_s >= stop:
                    tried = failures + 1, wanted_s
                    raise _errors().gave_up(
                        seen.host, str(seen), *tried, answered=seen.answered
                    ) from None
            self.world.sleep(pause_s)
        raise AssertionError("unreachable")  # pragma: no cover

    def _chosen_s(self) -> float | None:
        """Return the deadline of the caller or the setting, or None."""
        if self.deadline_s is not None:
            return self.deadline_s
        return self._deadline_s if self._host else metadata_deadline_s(os.environ)

    def _id_token(self, host: str, timeout_s: float) -> str:
        audience = self.audience or DEFAULT_AUDIENCE
        query = urlencoded([("audience", audience), ("format", "full")])
        path = _PATH.format(encoded(self.service_account, safe="@"), "identity", query)
        return self._checked(self._look_up(path, host, timeout_s), audience)

    def _look_up(self, path: str, host: str, timeout_s: float) -> http.Answer:
        try:
            answer = look_up(path, host=host, timeout_s=timeout_s, monotonic=self.world.monotonic)
        except http.Unreachable as error:
            raise _NotYet(host, str(error), answered=False) from None
        is_google = is_googles(answer)
        if answer.status in http.TRANSIENT_STATUS:
            seen = f"HTTP {answer.status} {quoted(answer.body, 120)}"
            raise _NotYet(answer.host, seen, answered=is_google)
        if not is_google:
            raise _errors().not_googles(answer)
        if answer.status != 200:
            raise _errors().refused(answer)
        return answer

    def _checked(self, answer: http.Answer, audience: str) -> str:
        origin = "The metadata server"
        token = id_token.parse(answer.body, origin=origin)
        now = self.world.clock()
        if token.issuer not in id_token.GOOGLE_ISSUERS:
            raise TokenError(
                f"{origin} gave a token issued by {quoted(token.issuer)}, not by Google.",
                fix="look at GCE_METADATA_HOST: something else answers there.",
                error_id="token/issuer",
            )
        left_s = (token.expiration - now).total_seconds()
        # The server's clock shows whether the token is old or this machine's clock is wrong.
        clock_agrees = answer.date is None or abs(now - answer.date) <= id_token.MAX_SKEW
        if clock_agrees and left_s < _MIN_LIFE_S and audience in token.audience:
            seen = f"a token with {left_s:.0f} s of life left"
            raise _NotYet(answer.host, seen, answered=True)
        id_token.check(token, audience=audience, now=now, origin=origin, server_now=answer.date)
        return token.raw


def _errors() -> Any:
    from gcp_aws_bridge._tokens import metadata_errors  # loaded only for an error

    return metadata_errors


def metadata_host() -> str:
    """Return the address of the metadata server: a host, or host:port."""
    return os.environ.get("GCE_METADATA_HOST") or _ADDRESS


def look_up(
    path: str, *, host: str, timeout_s: float, monotonic: Callable[[], float]
) -> http.Answer:
    """Get an entry of the server. Return its answer with any status.

    Args:
        host: The server. For the default one, its IPv6 address is tried as well.

    Raises:
        ConfigError: `GCE_METADATA_HOST` is malformed.
        Unreachable: There was no complete answer in time.
    """
    try:
        return http.get(
            host,
            path,
            _FLAVOR,
            timeout_s=timeout_s,
            monotonic=monotonic,
            other_host=_IPV6_ADDRESS if host == _ADDRESS else "",
        )
    except http.InvalidHost:
        raise _errors().malformed_host(host) from None


def is_googles(answer: http.Answer) -> bool:
    """Return whether an answer is from Google's server, by a header of all its answers.

    See: Compute Engine, "Query metadata". EC2 and Azure have servers at the same address.
    """
    return answer.headers.get("metadata-flavor") == "Google"


def on_cloud_run() -> bool:
    """Return whether this is Cloud Run.

    See: Cloud Run, "Container runtime contract", which has a variable for services and one for
    jobs.
    """
    return bool(os.environ.get("K_SERVICE") or os.environ.get("CLOUD_RUN_JOB"))


def looks_like_google(host: str | None = None) -> bool:
    """Return whether this machine looks like Google Cloud. Sends no request.

    Args:
        host: The server of a bound source. None: `GCE_METADATA_HOST`.
    """
    named = host != _ADDRESS if host else bool(os.environ.get("GCE_METADATA_HOST"))
    if named or on_cloud_run():
        return True
    if sys.platform != "linux":
        return sys.platform == "win32" and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        with open(_DMI_PRODUCT, encoding="ascii", errors="replace") as file:
            return "Google" in file.read(200)  # "Google Compute Engine"; EC2 has "Amazon EC2"
    except OSError:
        # A sandbox (gVisor) has no DMI. In Kubernetes, it may be GKE Sandbox.
        return "KUBERNETES_SERVICE_HOST" in os.environ
