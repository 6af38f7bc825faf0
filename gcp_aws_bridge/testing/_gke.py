"""A pod in GKE, which calls AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.service import Service
from gcp_aws_bridge.testing._isolation import SetEnvironment, environment
from gcp_aws_bridge.testing._pod import Pod, entered, serving

_NOBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:*"}],
}


class GkePod(Pod):
    """This process as a pod in GKE whose service account may assume the roles that are added.

    Its metadata server and STS are the emulator's, on loopback, and its time is the machine's until
    a test moves it. Not for two threads at a time. Nothing it does outlives it.

    Attributes:
        cloud: Both clouds: requests that arrived, faults, latency, service account, trust
            policies. See `gcp_aws_bridge.emulator`.
    """

    def __init__(self, cloud: Emulator) -> None:
        super().__init__(cloud)
        self._roles: dict[str, Callable[[], object]] = {}

    # Roles.

    def add_role(
        self,
        arn: str,
        trust_policy: Mapping[str, Any] | str | None = None,
        *,
        audience: str = DEFAULT_AUDIENCE,
        max_session_duration: int = 3600,
    ) -> None:
        """Make a role, or replace the one of this ARN.

        Args:
            arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            trust_policy: Who may assume it; None: this pod, with a token for *audience*.
            audience: What a trust policy of ours wants in `accounts.google.com:oaud`.
            max_session_duration: Longest session, in seconds; 3600 to 43200.

        Raises:
            ValueError: IAM would refuse this, or the policy needs something that the emulator
                does not evaluate.
        """
        add = partial(
            self.cloud.add_role,
            arn,
            trust_policy,
            audience=audience,
            max_session_duration=max_session_duration,
        )
        add()
        self._roles[arn] = add

    def deny(self, arn: str) -> AbstractContextManager[object]:
        """Have the role's trust policy refuse everybody, from now on.

        Credentials that STS has given stay good. As a context manager it ends with its block, else
        with the test.

        Raises:
            KeyError: `add_role` has not made this role.
        """
        allow = self._roles[arn]
        self.cloud.add_role(arn, _NOBODY)
        return self._trouble(allow)

    # Outages.

    def sts_outage(self) -> AbstractContextManager[object]:
        """Have STS refuse connections, from now on; ends as `deny` does.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.sts)

    def metadata_outage(self) -> AbstractContextManager[object]:
        """Have the metadata server refuse connections, from now on; ends as `deny` does.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.metadata)

    # Counters.

    @property
    def exchanges(self) -> int:
        """How often STS has given credentials for an ID token since the test began."""
        asked = self.cloud.sts.requests
        wanted = "AssumeRoleWithWebIdentity"
        return sum(each.action == wanted and each.status == 200 for each in asked)

    @property
    def metadata_requests(self) -> int:
        """How many requests have reached the metadata server since the test began."""
        return len(self.cloud.metadata.requests)

    # What `Pod` asks.

    def _enter(self, put: SetEnvironment) -> None:
        put(self.cloud.environ)

    @property
    def _services(self) -> tuple[Service, ...]:
        return self.cloud.metadata, self.cloud.sts


@contextmanager
def gke_pod() -> Iterator[GkePod]:
    """Be in a pod in GKE until the end of the block: the fixture of this name, without pytest.

    Raises:
        RuntimeError: This process is in a pod already.
    """
    with serving() as cloud, environment() as put, entered(GkePod(cloud), put) as pod:
        yield pod
