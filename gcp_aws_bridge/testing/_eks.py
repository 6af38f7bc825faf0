"""A pod in EKS, which calls Google Cloud."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from functools import lru_cache
from tempfile import TemporaryDirectory
from typing import Literal

from gcp_aws_bridge.emulator import Emulator, WorkloadProvider
from gcp_aws_bridge.emulator.containers import POD_AUDIENCE
from gcp_aws_bridge.emulator.mapping import AWS_DEFAULT
from gcp_aws_bridge.emulator.service import Service
from gcp_aws_bridge.testing._isolation import SetEnvironment, environment, forget
from gcp_aws_bridge.testing._pod import Pod, entered, serving
from gcp_aws_bridge.testing._simulated import attributes, move_botocore

How = Literal["pod-identity", "irsa"]

_ROLE = "arn:aws:iam::123456789012:role/app"
_AUDIENCE = (
    "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/aws"
    "/providers/eks"
)
_PROVIDER = re.compile(
    r"(?:(?:https:)?//iam\.googleapis\.com/)?projects/(\d+)/locations/global"
    r"/workloadIdentityPools/([a-z0-9-]+)/providers/([a-z0-9-]+)"
)
_AWS_ROLE = "attribute.aws_role"
# Google's default, except for the subject. With a role name of more than 25 letters, the ARN of a
# pod's session exceeds the limit for subjects. The mapping does not need cel-python.
_MAPPING = {**AWS_DEFAULT, "google.subject": "assertion.userid"}
_NEVER = "assertion.absent"  # a condition without a value is false for all identities


class EksPod(Pod):
    """A pod in EKS, in this process, whose role may impersonate the accounts that you add.

    The emulator serves its Pod Identity Agent, Google's token endpoint and the IAM Credentials API
    on loopback. Environment variables refer to them, and to a provider that trusts the role's AWS
    account. The pod's time is the machine's until a test changes it. Use a pod from one thread at a
    time. All its effects end with it.

    Attributes:
        cloud: Both clouds: requests, faults, latency, providers, identities of tokens. See
            `gcp_aws_bridge.emulator`.
        role_arn: Role of the pod: `arn:aws:iam::123456789012:role/app` until `becomes` changes it.
    """

    def __init__(self, cloud: Emulator) -> None:
        super().__init__(cloud)
        self.role_arn: str = _ROLE
        self._how: How = "pod-identity"
        self._environ: dict[str, str] = {}
        self._providers: dict[str, WorkloadProvider] = {}
        self._accounts: dict[str, Callable[[], object]] = {}
        self._denied: Counter[str | None] = Counter()
        self._until_left = ExitStack()
        self._folder = ""

    # Identity.

    @property
    def provider(self) -> WorkloadProvider:
        """The workload identity pool provider in the environment."""
        return self._providers[_AUDIENCE]

    def add_provider(self, audience: str) -> None:
        """Add another provider for the role's AWS account, for a program that sets its audience.

        Args:
            audience: `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/
                POOL/providers/PROVIDER`, with or without the part before `projects/`.

        Raises:
            ValueError: This is not the name of a provider.
        """
        parts = _PROVIDER.fullmatch(audience)
        if parts is None:
            raise ValueError(f"{audience!r} is not the name of a provider, such as {_AUDIENCE}.")
        number, pool, name = parts.groups()
        provider = self.cloud.add_aws_provider(
            self.role_arn.split(":")[4],
            pool=pool,
            provider=name,
            project_number=number,
            attribute_mapping=_MAPPING,
            attribute_condition=_NEVER if self._denied[None] else None,
        )
        self._providers[provider.audience] = provider
        for add in self._accounts.values():  # their members depend on the providers
            add()

    def add_service_account(
        self,
        email: str,
        members: Iterable[str] | None = None,
        *,
        token_creator: bool = False,
        extended_lifetime: bool = False,
    ) -> None:
        """Create a service account, or replace the account with the same e-mail.

        Args:
            email: `NAME@PROJECT.iam.gserviceaccount.com`.
            members: Members with roles/iam.workloadIdentityUser on the account, as `principal://…`
                or `principalSet://…`; None: this pod, by its role.
            token_creator: Whether the members also have roles/iam.serviceAccountTokenCreator,
                which signed URLs need.
            extended_lifetime: Whether access tokens may last twelve hours instead of one.

        Raises:
            ValueError: The e-mail or a member is malformed.
        """
        fixed = None if members is None else tuple(members)

        def add() -> None:
            admitted = self._members() if fixed is None else fixed
            admitted = () if self._denied[email] else admitted
            self.cloud.add_google_service_account(
                email,
                admitted,
                token_creators=admitted if token_creator else (),
                extended_lifetime=extended_lifetime,
            )

        add()
        self._accounts[email] = add

    def becomes(self, role_arn: str, *, how: How = "pod-identity") -> None:
        """Change the pod's role, as if it had had this role from the start.

        Google trusts the new role like the previous one. Create new credentials in your program
        afterwards: existing ones keep the previous role until their refresh, and their role is
        undefined then.

        Args:
            role_arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            how: Source of the AWS keys: EKS Pod Identity, or IAM roles for service accounts.

        Raises:
            ValueError: `role_arn` is not the ARN of a role, or `how` is unknown.
            TimeoutError: See `settle`.
        """
        self.settle()
        cloud = self.cloud
        role = cloud.add_role(role_arn, cloud.trust_policy_for_service(POD_AUDIENCE))
        if how == "irsa":
            cloud.add_role(role_arn, cloud.trust_policy_for_irsa(account=role.account))
        environ = cloud.eks_pod(role_arn, self._folder, how=how)
        self.role_arn, self._how = role_arn, how
        self._put({**dict.fromkeys(self._environ), **environ})
        self._environ = environ
        forget()
        self._add_providers()

    def deny(self, service_account: str | None = None) -> AbstractContextManager[object]:
        """Deny all impersonation of a service account, from now on.

        Issued tokens stay valid. The denial ends with the `with` block, or otherwise with the test.

        Args:
            service_account: E-mail of the account; None: the attribute condition of all providers
                rejects all identities.

        Raises:
            KeyError: The account was not created by `add_service_account`.
        """
        if service_account is not None and service_account not in self._accounts:
            raise KeyError(service_account)

        def change(by: int) -> None:
            self._denied[service_account] += by
            self._add_providers()  # also updates the accounts

        change(1)
        return self._until_test_ends(lambda: change(-1))

    def _members(self) -> list[str]:
        _, partition, _, _, account, role = self.role_arn.split(":")
        assumed = f"arn:{partition}:sts::{account}:assumed-role/{role.rpartition('/')[2]}"
        return [each.principal_set(_AWS_ROLE, assumed) for each in self._providers.values()]

    def _add_providers(self) -> None:
        for audience in [*self._providers]:
            self.add_provider(audience)

    # Outages.

    def google_sts_outage(self) -> AbstractContextManager[object]:
        """Make Google's token endpoint refuse connections, from now on; ends like `deny`.

        Raises:
            RuntimeError: There is an outage already.
        """
        return self._outage(self.cloud.google_sts)

    def iam_outage(self) -> AbstractContextManager[object]:
        """Make the IAM Credentials API refuse connections, from now on; ends like `deny`.

        Raises:
            RuntimeError: There is an outage already.
        """
        return self._outage(self.cloud.iam_credentials)

    def agent_outage(self) -> AbstractContextManager[object]:
        """Make the Pod Identity Agent refuse connections, from now on; ends like `deny`.

        botocore requests keys at the first exchange, and again before they expire (six hours).

        Raises:
            RuntimeError: There is an outage already.
        """
        return self._outage(self.cloud.pod_identity)

    # Counters.

    @property
    def exchanges(self) -> int:
        """Number of federated tokens, which all service accounts share, since the test began."""
        return sum(each.status == 200 for each in self.cloud.google_sts.requests)

    @property
    def impersonations(self) -> int:
        """Number of service account tokens that Google has issued since the test began."""
        requests = self.cloud.iam_credentials.requests
        methods = (":generateAccessToken", ":generateIdToken")
        return sum(each.path.endswith(methods) and each.status == 200 for each in requests)

    @property
    def agent_requests(self) -> int:
        """Number of requests to the Pod Identity Agent since the test began."""
        return len(self.cloud.pod_identity.requests)

    # Time.

    def advance(self, seconds: float | timedelta) -> None:
        """Move the time of this library, of botocore's AWS keys and of both clouds forward.

        Otherwise like `GkePod.advance`, with the same errors.
        """
        super().advance(seconds)
        # Write a new token file, as the kubelet does long before the token expires.
        self.cloud.eks_pod(self.role_arn, self._folder, how=self._how)

    # Implementation of `Pod`.

    def _enter(self, put: SetEnvironment) -> None:
        self._folder = _folder_name(os.getpid())
        os.mkdir(self._folder, 0o700)
        self._until_left.callback(shutil.rmtree, self._folder)
        self._put = put
        self.becomes(_ROLE)
        self.add_provider(_AUDIENCE)
        put(
            {
                "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": _AUDIENCE,
                "GCP_AWS_BRIDGE_GOOGLE_STS_URL": f"{self.cloud.google_sts.url}/v1/token",
                "GCP_AWS_BRIDGE_GOOGLE_IAM_URL": self.cloud.iam_credentials.url,
            }
        )

    def _leave(self) -> None:
        with self._until_left:
            super()._leave()

    @property
    def _services(self) -> tuple[Service, ...]:
        cloud = self.cloud
        return cloud.pod_identity, cloud.google_sts, cloud.iam_credentials, cloud.sts


@lru_cache(maxsize=1)
def _folder_name(process: int) -> str:
    """Return an unused path, the same for all pods of a process, as in EKS.

    The path is part of the AWS identity. With another path, credentials that a program keeps from
    one test to the next would have another identity.
    """
    with TemporaryDirectory() as folder:
        return folder


@contextmanager
def eks_pod() -> Iterator[EksPod]:
    """Run the `with` block in a pod in EKS: the fixture of the same name, without pytest.

    Raises:
        RuntimeError: This process is in a pod already.
    """
    with serving() as cloud, environment() as put, attributes() as put_attribute:
        move_botocore(put_attribute)
        with entered(EksPod(cloud), put) as pod:
            yield pod
