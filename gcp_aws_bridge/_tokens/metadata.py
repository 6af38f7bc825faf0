"""The token source of a pod, a virtual machine, Cloud Run: the metadata server.

Invariant: one request for a token, no ping and no look-up of the account first; more only when the
server is not ready. It is asked over plain HTTP on a link-local address, never through a proxy,
and nothing it redirects to is followed.

Environment: `GCE_METADATA_HOST` (host or host:port; as google-auth), read when a session or
credentials are made, and at each call of a source that is used alone; `KUBERNETES_SERVICE_HOST` and
`K_SERVICE` (hints that waiting is worth while), read at each call;
`GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS`, as the host.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from gcp_aws_bridge._cache.clock import REAL, World, backoff_s
from gcp_aws_bridge._pickled import as_settings
from gcp_aws_bridge._settings import metadata_deadline_s
from gcp_aws_bridge._tokens import environment, http, id_token, metadata_errors
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import TokenError, quoted

if TYPE_CHECKING:
    from typing_extensions import Self

# Compute Engine, "About VM metadata": the address behind metadata.google.internal. By address, so
# that a pod's DNS (search domains, network policies) has no part in it.
_ADDRESS = "169.254.169.254"
_PATH = "/computeMetadata/v1/instance/service-accounts/{}/{}?{}"
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
_DMI_PRODUCT = "/sys/class/dmi/id/product_name"
_T = TypeVar("_T")


class GoogleEnvironment(NamedTuple):
    """Where this machine's Google identity is looked for: three places that variables name.

    Sources take it when a session or credentials are made, so that they keep their identity when
    the environment changes.
    """

    credentials_file: str | None
    gcloud_file: str
    metadata_host: str

    @classmethod
    def now(cls) -> GoogleEnvironment:
        """Read the environment as it is."""
        file = environment.credentials_file(os.environ)
        # gcloud's is looked for only where the variable names none.
        gcloud = "" if file else environment.gcloud_file(os.environ)
        return cls(file, gcloud, metadata_host())


class _NotYet(Exception):
    """Worth asking again: the text says what was seen, and *answered* whether Google's server."""

    def __init__(self, seen: str, *, answered: bool) -> None:
        super().__init__(seen)
        self.answered = answered


@dataclass(frozen=True)
class MetadataServer(environment.EnvironmentBound):
    """ID tokens of the service account that this pod, instance or service runs as.

    Calling it asks the server each time; the server itself caches tokens. A session or credentials
    go on asking the server that `GCE_METADATA_HOST` named when they were made.

    Args:
        audience: None for the role's.
        service_account: `default`, or the e-mail of one that is attached.
        deadline_s: Seconds to go on trying while the server is not ready. None: the setting
            `GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS`; without it 20 where something suggests
            Google Cloud, else one try of at most 0.8 s.

    Raises:
        TokenUnavailable: No metadata server of Google's answered in time.
        TokenError: It answered, and this workload has no (usable) token.
        ConfigError: `GCE_METADATA_HOST` is no host.
    """

    audience: str | None = None
    service_account: str = "default"
    deadline_s: float | None = None
    world: World = field(default=REAL, repr=False, compare=False)
    _host: str | None = field(default=None, init=False, repr=False)  # None: as at each call
    _deadline_s: float | None = field(default=None, init=False, repr=False)  # of a bound source

    def __reduce__(self) -> tuple[Any, ...]:
        return as_settings(self)

    def _bound(self, host: str | None = None) -> Self:
        """Return a copy that asks *host*, or the server that the environment names now."""
        return environment.bound(self, _host=host or metadata_host())

    @without_inner_frames
    def __call__(self) -> str:
        return self._patiently(self._id_token)

    def _access_token(self, scopes: Sequence[str]) -> tuple[str, float]:
        """Return an access token and the seconds until it expires; raises as a call does."""
        query = urlencode({"scopes": ",".join(scopes)})
        path = _PATH.format(quote(self.service_account, safe="@"), "token", query)

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
        """Return what *ask* returns for the host and a timeout, retried while it is not ready."""
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
                    # A process that was frozen has not really tried. Once: a resolver of names may
                    # take longer than it is given each time.
                    excused = True
                    stop += overslept_s
                pause_s = backoff_s(failures, base_s=0.1, cap_s=2.0, jitter=self.world.jitter())
                if not patient or monotonic() + pause_s >= stop:
                    tried = failures + 1, wanted_s
                    raise metadata_errors.gave_up(
                        host, str(seen), *tried, answered=seen.answered
                    ) from None
            self.world.sleep(pause_s)
        raise AssertionError("unreachable")  # pragma: no cover

    def _chosen_s(self) -> float | None:
        """Return how long to go on trying, where the caller or a setting says."""
        if self.deadline_s is not None:
            return self.deadline_s
        return self._deadline_s if self._host else metadata_deadline_s(os.environ)

    def _id_token(self, host: str, timeout_s: float) -> str:
        audience = self.audience or DEFAULT_AUDIENCE
        query = urlencode({"audience": audience, "format": "full"})
        path = _PATH.format(quote(self.service_account, safe="@"), "identity", query)
        return self._checked(self._look_up(path, host, timeout_s), audience)

    def _look_up(self, path: str, host: str, timeout_s: float) -> http.Answer:
        try:
            answer = look_up(path, host=host, timeout_s=timeout_s, monotonic=self.world.monotonic)
        except http.Unreachable as error:
            raise _NotYet(str(error), answered=False) from None
        is_google = is_googles(answer)
        if answer.status in http.TRANSIENT_STATUS:
            said = f"HTTP {answer.status} {quoted(answer.body, 120)}"
            raise _NotYet(said, answered=is_google)
        if not is_google:
            raise metadata_errors.not_googles(host, answer)
        if answer.status != 200:
            raise metadata_errors.refused(answer)
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
        # A right server's clock settles whether a dead token is old or our own clock is wrong.
        clock_agrees = answer.date is None or abs(now - answer.date) <= id_token.MAX_SKEW
        if clock_agrees and left_s < _MIN_LIFE_S and audience in token.audience:
            raise _NotYet(f"a token with {left_s:.0f} s of life left", answered=True)
        id_token.check(token, audience=audience, now=now, origin=origin, server_now=answer.date)
        return token.raw


def metadata_host() -> str:
    """Where the metadata server is: a host, or host:port."""
    return os.environ.get("GCE_METADATA_HOST") or _ADDRESS


def look_up(
    path: str, *, host: str, timeout_s: float, monotonic: Callable[[], float]
) -> http.Answer:
    """One GET of any entry of the server, whatever it answers.

    Raises:
        ConfigError: `GCE_METADATA_HOST` is no host.
        Unreachable: No whole answer came in time.
    """
    try:
        return http.get(host, path, _FLAVOR, timeout_s=timeout_s, monotonic=monotonic)
    except http.InvalidHost:
        raise metadata_errors.malformed_host(host) from None


def is_googles(answer: http.Answer) -> bool:
    """Whether Google's server said so, by the header that each of its answers carries.

    See: Compute Engine, "Query metadata". EC2 and Azure serve their own on the same address.
    """
    return answer.headers.get("metadata-flavor") == "Google"


def looks_like_google(host: str | None = None) -> bool:
    """Return whether it is worth waiting for a metadata server. Asks no network.

    Args:
        host: The server that a source is bound to. None: `GCE_METADATA_HOST` says.
    """
    named = host != _ADDRESS if host else bool(os.environ.get("GCE_METADATA_HOST"))
    if named or os.environ.get("K_SERVICE"):
        return True  # told so, or Cloud Run (its container contract sets K_SERVICE)
    if platform.system() != "Linux":
        return platform.system() == "Windows" and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        with open(_DMI_PRODUCT, encoding="ascii", errors="replace") as file:
            return "Google" in file.read(200)  # "Google Compute Engine"; EC2 says "Amazon EC2"
    except OSError:
        # A sandbox (gVisor) shows no DMI; in Kubernetes it may well be GKE's.
        return "KUBERNETES_SERVICE_HOST" in os.environ
