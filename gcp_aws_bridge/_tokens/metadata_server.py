"""`MetadataServer`, the token source of pods, virtual machines and Cloud Run; see `metadata`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._tokens import environment
from gcp_aws_bridge._tokens.metadata import MetadataRequests, metadata_host
from gcp_aws_bridge._value import Value, value

if TYPE_CHECKING:
    from typing_extensions import Self


@value(frozen=True)
class MetadataServer(Value, MetadataRequests, environment.EnvironmentBound):
    """ID tokens of the service account of this pod, instance or service.

    Each call sends a request; the server caches tokens. A session or credentials keep the server
    that `GCE_METADATA_HOST` named when they were created.

    Args:
        audience: Audience of the ID token. None: the role's audience.
        service_account: `default`, or the e-mail of an attached service account.
        deadline_s: Seconds to retry while the server is not ready. None: the setting
            `GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS`; without the setting 20 on machines that look
            like Google Cloud, and otherwise one attempt of at most 0.8 s.

    Raises:
        TokenUnavailable: No metadata server of Google answered in time.
        TokenError: The server answered, but this workload has no usable token.
        ConfigError: `GCE_METADATA_HOST` is malformed.
    """

    audience: str | None = None
    service_account: str = "default"
    deadline_s: float | None = None
    world: World = field(default=REAL, repr=False, compare=False)
    # None: the host in the environment of each call.
    _host: str | None = field(default=None, init=False, repr=False)
    _deadline_s: float | None = field(default=None, init=False, repr=False)  # of a bound source

    def _bound(self, host: str | None = None) -> Self:
        """Return a copy for *host*, or for the server in the current environment."""
        return environment.bound(self, _host=host or metadata_host())
