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

_DENY_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:*"}],
}


class GkePod(Pod):
    """A pod in GKE, in this process, whose service account may assume the roles that you add.

    The emulator serves its metadata server and STS on loopback. The pod's time is the machine's
    until a test changes it. Use a pod from one thread at a time. All its effects end with it.

    Attributes:
        cloud: Both clouds: requests, faults, latency, service account, trust policies. See
            `gcp_aws_bridge.emulator`.
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
        """Create a role, or replace the role with the same ARN.

        Args:
            arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            trust_policy: The trust policy; None: this pod may assume the role, with a token for
                *audience*.
            audience: `accounts.google.com:oaud` in the default trust policy.
            max_session_duration: Longest session, in seconds; 3600 to 43200.

        Raises:
            ValueError: IAM rejects the role, or the emulator cannot evaluate the policy.
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
        """Make the role's trust policy deny all requests, from now on.

        Issued credentials stay valid. The denial ends with the `with` block, or otherwise with the
        test.

        Raises:
            KeyError: The role was not created by `add_role`.
        """
        allow = self._roles[arn]
        self.cloud.add_role(arn, _DENY_ALL)
        return self._until_test_ends(allow)

    # Outages.

    def sts_outage(self) -> AbstractContextManager[object]:
        """Make STS refuse connections, from now on; ends like `deny`.

        Raises:
            RuntimeError: There is an outage already.
        """
        return self._outage(self.cloud.sts)

    def metadata_outage(self) -> AbstractContextManager[object]:
        """Make the metadata server refuse connections, from now on; ends like `deny`.

        Raises:
            RuntimeError: There is an outage already.
        """
        return self._outage(self.cloud.metadata)

    # Counters.

    @property
    def exchanges(self) -> int:
        """Number of credentials that STS has issued for ID tokens since the test began."""
        action, requests = "AssumeRoleWithWebIdentity", self.cloud.sts.requests
        return sum(each.action == action and each.status == 200 for each in requests)

    @property
    def metadata_requests(self) -> int:
        """Number of requests to the metadata server since the test began."""
        return len(self.cloud.metadata.requests)

    # Implementation of `Pod`.

    def _enter(self, put: SetEnvironment) -> None:
        put(self.cloud.environ)

    @property
    def _services(self) -> tuple[Service, ...]:
        return self.cloud.metadata, self.cloud.sts


@contextmanager
def gke_pod() -> Iterator[GkePod]:
    """Run the `with` block in a pod in GKE: the fixture of the same name, without pytest.

    Raises:
        RuntimeError: This process is in a pod already.
    """
    with serving() as cloud, environment() as put, entered(GkePod(cloud), put) as pod:
        yield pod
