from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from fakes import Journey

from gcp_aws_bridge import google
from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.google._aws_identity import forget_sessions

ROLE = "arn:aws:iam::123456789012:role/etl"
ASSUMED = "arn:aws:sts::123456789012:assumed-role/etl"
ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"
# As `setup` writes it: an ARN of EKS is longer than a subject may be.
SHORT = {
    "google.subject": "assertion.arn.extract('assumed-role/{role}/')",
    "attribute.aws_role": f"'{ASSUMED.removesuffix('etl')}' + "
    "assertion.arn.extract('assumed-role/{role}/')",
}
CONDITION = f"assertion.arn.startsWith('{ASSUMED}/')"


def needs_outbound() -> None:
    """Skip where botocore is older than `sts:GetWebIdentityToken` (1.40, the oldest, is)."""
    model = botocore.session.get_session().get_service_model("sts")
    if "GetWebIdentityToken" not in model.operation_names:
        pytest.skip("this botocore does not know sts:GetWebIdentityToken")


@pytest.fixture(autouse=True)
def nothing_shared_with_other_tests() -> Iterator[None]:
    registry.clear()
    registry.world = REAL
    forget_sessions()  # which have found their AWS identity
    yield
    forget_sessions()
    registry.clear()
    registry.world = REAL


class Workload:
    """Something on AWS, whose role Google admits and lets act as `ACCOUNT`."""

    def __init__(self, cloud: Emulator, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self._patch = patch
        self.provider = cloud.add_aws_provider(
            pool="aws-pods", attribute_mapping=SHORT, attribute_condition=CONDITION
        )
        role = self.provider.principal_set("attribute.aws_role", ASSUMED)
        cloud.add_google_service_account(ACCOUNT, [role], token_creators=[role])
        patch.setenv("GCP_AWS_BRIDGE_GOOGLE_STS_URL", f"{cloud.google_sts.url}/v1/token")
        patch.setenv("GCP_AWS_BRIDGE_GOOGLE_IAM_URL", cloud.iam_credentials.url)

    def becomes(self, environ: Mapping[str, str]) -> None:
        """From now on, this process has that environment, and no other AWS identity."""
        for name in list(os.environ):
            if name.startswith("AWS_"):
                self._patch.delenv(name)
        for name, value in environ.items():
            self._patch.setenv(name, value)

    def pod(self, how: Any = "pod-identity", role: str = "etl") -> None:
        """A pod in EKS."""
        arn = ROLE.replace("etl", role)
        service = (
            self.cloud.trust_policy_for_irsa()
            if how == "irsa"
            else self.cloud.trust_policy_for_service("pods.eks.amazonaws.com")
        )
        self.cloud.add_role(arn, service)
        self.becomes(self.cloud.eks_pod(arn, self.folder, how=how))

    def keys(self) -> None:
        """Keys of the role in the environment, as in Lambda."""
        self.cloud.add_role(ROLE, self.cloud.trust_policy_for_service("lambda.amazonaws.com"))
        self.becomes(self.cloud.lambda_environ(ROLE))

    def credentials(self, **settings: Any) -> Any:
        settings = {"service_account": ACCOUNT, **settings}
        return google.credentials(self.provider.audience, **settings)

    @property
    def asked(self) -> tuple[int, int]:
        """How often Google's token endpoint was asked, and the IAM Credentials API."""
        return len(self.cloud.google_sts.requests), len(self.cloud.iam_credentials.requests)

    def whose(self, credentials: Any) -> str | None:
        """Return the identity of the bearer token at Google."""
        headers: dict[str, str] = {}
        credentials.before_request(None, "GET", "https://storage.googleapis.com/", headers)
        identity = self.cloud.google_identity(headers["authorization"].removeprefix("Bearer "))
        return identity and (identity.email or identity.principal)


@pytest.fixture
def workload(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workload:
    made = Workload(emulator, monkeypatch, tmp_path)
    made.keys()
    return made


@pytest.fixture
def journey(workload: Workload) -> Journey:
    journey = Journey()
    workload.cloud.clock = journey
    workload.cloud.sts.max_skew_s = 1e6  # google-auth signs by the real clock
    registry.world = World(
        clock=journey,
        monotonic=journey.monotonic,
        sleep=lambda seconds: journey.travel(seconds=seconds),
    )
    return journey
