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
from gcp_aws_bridge.testing._simulated import attributes, botocore_too

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
# Google's default, but for the subject: the ARN of a pod's session is longer than a subject may be
# where its role's name has more than 25 letters. No cel-python is needed for this.
_MAPPING = {**AWS_DEFAULT, "google.subject": "assertion.userid"}
_NOBODY = "assertion.nobody"  # a condition with no value admits nobody


class EksPod(Pod):
    """This process as a pod in EKS whose role may act as the service accounts that are added.

    Its Pod Identity Agent, Google's token endpoint and IAM Credentials API are the emulator's, on
    loopback; its environment names them, and a provider that trusts the role's account. Its time
    is the machine's until a test moves it. Not for two threads at a time. Nothing it does outlives
    it.

    Attributes:
        cloud: Both clouds: requests that arrived, faults, latency, providers, whose a token is.
            See `gcp_aws_bridge.emulator`.
        role_arn: Whose AWS keys it has: `arn:aws:iam::123456789012:role/app`, unless it `becomes`
            another.
    """

    def __init__(self, cloud: Emulator) -> None:
        super().__init__(cloud)
        self.role_arn: str = _ROLE
        self._how: How = "pod-identity"
        self._environ: dict[str, str] = {}
        self._put: SetEnvironment
        self._providers: dict[str, WorkloadProvider] = {}
        self._accounts: dict[str, Callable[[], object]] = {}
        self._denied: Counter[str | None] = Counter()
        self._until_left = ExitStack()
        self._folder = ""

    # Whom it may be.

    @property
    def provider(self) -> WorkloadProvider:
        """Google's provider that the environment names; knows how policies name whom it admits."""
        return self._providers[_AUDIENCE]

    def add_provider(self, audience: str) -> None:
        """Have another provider trust the role's AWS account: for an app that says which it uses.

        Args:
            audience: `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/
                POOL/providers/PROVIDER`, with or without what is before `projects/`.

        Raises:
            ValueError: It names no provider.
        """
        found = _PROVIDER.fullmatch(audience)
        if found is None:
            raise ValueError(f"{audience!r} is no provider's name: {_AUDIENCE} is one.")
        number, pool, provider = found.groups()
        made = self.cloud.add_aws_provider(
            self.role_arn.split(":")[4],
            pool=pool,
            provider=provider,
            project_number=number,
            attribute_mapping=_MAPPING,
            attribute_condition=_NOBODY if self._denied[None] else None,
        )
        self._providers[made.audience] = made
        for add in self._accounts.values():  # whom a pod is depends on its providers
            add()

    def add_service_account(
        self,
        email: str,
        members: Iterable[str] | None = None,
        *,
        token_creator: bool = False,
        extended_lifetime: bool = False,
    ) -> None:
        """Make a service account, or replace the one of this e-mail.

        Args:
            email: `NAME@PROJECT.iam.gserviceaccount.com`.
            members: Who has roles/iam.workloadIdentityUser on it, as `principal://…` or
                `principalSet://…`; None: this pod, by its role.
            token_creator: Whether they have roles/iam.serviceAccountTokenCreator as well, which
                signed URLs need.
            extended_lifetime: Whether its tokens may live for twelve hours instead of one.

        Raises:
            ValueError: The e-mail or a member is malformed.
        """
        given = None if members is None else tuple(members)

        def add() -> None:
            admitted = self._members() if given is None else given
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
        """Be a pod of another role, as if it had been from the start.

        Google trusts the new role as it did the former. The app is to make its credentials anew:
        those made before are of the former until they are renewed, and of no certain one then.

        Args:
            role_arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            how: Where its keys come from: EKS Pod Identity, or IAM roles for service accounts.

        Raises:
            ValueError: It is the ARN of no role, or there is no such way.
            TimeoutError: As `settle`.
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
        """Have the service account let nobody act as it, from now on.

        Tokens that Google has given stay good. As a context manager it ends with its block, else
        with the test.

        Args:
            service_account: Its e-mail; None: it is the providers' condition that admits nobody.

        Raises:
            KeyError: `add_service_account` has not made it.
        """
        if service_account is not None and service_account not in self._accounts:
            raise KeyError(service_account)

        def change(by: int) -> None:
            self._denied[service_account] += by
            self._add_providers()  # and accounts

        change(1)
        return self._trouble(lambda: change(-1))

    def _members(self) -> list[str]:
        _, partition, _, _, account, role = self.role_arn.split(":")
        assumed = f"arn:{partition}:sts::{account}:assumed-role/{role.rpartition('/')[2]}"
        return [each.principal_set(_AWS_ROLE, assumed) for each in self._providers.values()]

    def _add_providers(self) -> None:
        for audience in [*self._providers]:
            self.add_provider(audience)

    # Outages.

    def google_sts_outage(self) -> AbstractContextManager[object]:
        """Have Google's token endpoint refuse connections, from now on; ends as `deny` does.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.google_sts)

    def iam_outage(self) -> AbstractContextManager[object]:
        """Have the IAM Credentials API refuse connections, from now on; ends as `deny` does.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.iam_credentials)

    def agent_outage(self) -> AbstractContextManager[object]:
        """Have the Pod Identity Agent refuse connections, from now on; ends as `deny` does.

        botocore asks it for keys at the first exchange, and again when they are about to end: they
        live for six hours.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.pod_identity)

    # Counters.

    @property
    def exchanges(self) -> int:
        """How often Google has given a federated token for the AWS identity since the test began.

        All service accounts share that one.
        """
        return sum(each.status == 200 for each in self.cloud.google_sts.requests)

    @property
    def impersonations(self) -> int:
        """How often Google has given a service account's token since the test began."""
        asked = self.cloud.iam_credentials.requests
        methods = (":generateAccessToken", ":generateIdToken")
        return sum(each.path.endswith(methods) and each.status == 200 for each in asked)

    @property
    def agent_requests(self) -> int:
        """How many requests have reached the Pod Identity Agent since the test began."""
        return len(self.cloud.pod_identity.requests)

    # Time.

    def advance(self, seconds: float | timedelta) -> None:
        """Move the time of this library, of botocore's AWS keys and of both clouds ahead.

        As `GkePod.advance` does, and with the same errors.
        """
        super().advance(seconds)
        # Another file of the pod's token, long before its end, as the kubelet writes it.
        self.cloud.eks_pod(self.role_arn, self._folder, how=self._how)

    # What `Pod` asks.

    def _enter(self, put: SetEnvironment) -> None:
        self._folder = self._until_left.enter_context(_token_folder())
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
    """Return an unused name: the same for all pods of a process, as in EKS.

    The path is part of the AWS identity: credentials that a program keeps from one test to the next
    would have another one.
    """
    with TemporaryDirectory() as folder:
        return folder


@contextmanager
def _token_folder() -> Iterator[str]:
    folder = _folder_name(os.getpid())
    os.mkdir(folder, 0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def eks_pod() -> Iterator[EksPod]:
    """Be in a pod in EKS until the end of the block: the fixture of this name, without pytest.

    Raises:
        RuntimeError: This process is in a pod already.
    """
    with serving() as cloud, environment() as put, attributes() as put_attribute:
        botocore_too(put_attribute)
        with entered(EksPod(cloud), put) as pod:
            yield pod
