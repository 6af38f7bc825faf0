"""A working workload on AWS, into which a case puts a fault: emulated clouds, files."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider
from laptops import Laptop

from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.google import instance
from gcp_aws_bridge.doctor.google.commands import OF_ROLE
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.google import _federation

from .annotated import Annotated
from .pod import Machine, _unsigned

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl"
EMAIL = "publisher@demo-project.iam.gserviceaccount.com"
_SERVICES = {
    "eks": "pods.eks.amazonaws.com",
    "ec2": "ec2.amazonaws.com",
    "ecs": "ecs-tasks.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
}


class Workload(Machine):
    """A pod of EKS with Pod Identity, in which every step works.

    Attributes:
        provider: Admits `ROLE`, which may act as `EMAIL`.
        settings: Arguments of the provider.
    """

    def __init__(
        self, cloud: Emulator, patch: pytest.MonkeyPatch, folder: Path, stack: contextlib.ExitStack
    ) -> None:
        super().__init__(cloud, patch, folder, stack)
        patch.setattr(machine, "_MOUNTED", str(folder / "mounted"))
        patch.setattr(instance, "_VENDOR", str(folder / "vendor"))
        patch.setattr(instance, "_ADDRESS", self.closed())
        self.google_at(cloud.google_sts.url, cloud.iam_credentials.url)
        self.provider = self.aws_provider()
        self.account(self.provider.principal_set("attribute.aws_role", SESSION))
        self.set(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT=EMAIL)
        self._where: dict[str, str] = {}
        self.laptop = Laptop(cloud)
        self.runs_on("eks")

    # AWS's side.

    def runs_on(self, where: str) -> None:
        """Run on eks, irsa, ec2, ecs, lambda or sso, with `ROLE`."""
        for name in self._where:
            self._patch.delenv(name, raising=False)
        cloud = self.cloud
        if service := _SERVICES.get(where):
            cloud.add_role(ROLE, cloud.trust_policy_for_service(service))
        elif where == "irsa":
            cloud.add_role(ROLE, cloud.trust_policy_for_irsa())
        else:
            cloud.add_role(ROLE)
        self._where = self._environ(where)
        self.set(**self._where)
        self.file("vendor", "Amazon EC2\n" if where != "sso" else "LENOVO\n")

    def _environ(self, where: str) -> dict[str, str]:
        cloud, folder = self.cloud, self.folder / where
        if where in ("eks", "irsa"):
            pod = {"sub": "system:serviceaccount:default:etl"}
            self.file("mounted/token", _unsigned(pod))
            how = "irsa" if where == "irsa" else "pod-identity"
            found = cloud.eks_pod(ROLE, folder, how=how)
            return {**found, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        if where == "sso":
            return self.laptop.sso_profile(ROLE, folder)
        return {
            "ec2": cloud.ec2_environ,
            "ecs": cloud.ecs_environ,
            "lambda": cloud.lambda_environ,
        }[where](ROLE)

    def signs_in(self) -> None:
        """Sign in at IAM Identity Center, which puts its token into the home directory."""
        home = os.path.expanduser("~")
        assert home == os.environ["HOME"]
        found = self.laptop.sso_profile(ROLE, home)
        for provider in (SSOProvider, SSOTokenProvider):  # they read HOME when they are imported
            self._patch.setattr(
                provider, "_SSO_TOKEN_CACHE_DIR", os.path.join(home, ".aws/sso/cache")
            )
        self.set(**{name: value for name, value in found.items() if name != "AWS_PROFILE"})

    def has_no_role(self) -> None:
        """Be a pod that was created before its association."""
        for name in list(self._where):
            if name.startswith("AWS_CONTAINER"):
                self.unset(name)

    def keys(self, **changes: str) -> None:
        """Put the keys of an IAM user into the environment."""
        key = self.cloud.add_user()
        found = {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        self.set(**{**found, **changes})

    def annotated(self, *, method: str = "", **annotations: str) -> Annotated:
        """Have the webhook give the provider to this pod, by the cluster's token or the sidecar."""
        if not method:
            self.oidc_provider()
        self.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT")
        found = {"google-provider": self.provider.audience, "google-service-account": EMAIL}
        found |= {"method": method} if method else {}
        self.webhook = Annotated(self, _Cluster(self.cloud), found | annotations)
        return self.webhook

    # Google's side.

    def google_at(self, sts: str, iam: str) -> None:
        """Set the addresses of the two Google services."""
        self._patch.setattr(_federation, "_STS", f"{sts}/v1/token")
        self._patch.setattr(_federation, "_IAM", iam)

    def aws_provider(self, **settings: Any) -> Any:
        """Use a provider of AWS as `setup` creates it, with *settings* changed."""
        wanted: dict[str, Any] = {
            "attribute_mapping": OF_ROLE,
            "attribute_condition": f"assertion.arn.startsWith('{SESSION}/')",
        }
        self.settings = {**wanted, **settings}
        self.provider = self.cloud.add_aws_provider(**self.settings)
        self.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=self.provider.audience)
        return self.provider

    def oidc_provider(self, issuer: str = "", **settings: Any) -> Any:
        """Use a provider of OIDC, by default of the cluster; its pod may act as `EMAIL`."""
        issuer = issuer or self.cloud.eks_issuer_url
        self.settings = {"issuer": issuer, **settings}
        self.provider = self.cloud.add_google_provider_for_oidc(issuer, **settings)
        self.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=self.provider.audience)
        self.account(self.provider.principal("system:serviceaccount:default:etl"))
        return self.provider

    def token_file(self, token: str | None = None) -> None:
        """Name a file with a projected token for the provider."""
        token = token or self.cloud.eks_token(self.provider.audiences[0])
        self.set(GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE=self.file("projected", token))

    def outbound(self) -> None:
        """Use AWS's own token, with a provider of the account's issuer."""
        issuer = self.cloud.enable_outbound_federation()
        self.cloud.allow(ROLE, "sts:GetWebIdentityToken")
        self.oidc_provider(issuer)
        self.account(self.provider.principal(ROLE))
        self.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="outbound")

    def account(self, *members: str) -> None:
        """Let these members, and no others, act as `EMAIL`."""
        self.cloud.add_google_service_account(EMAIL, members)

    def google_file(self, **changes: Any) -> None:
        """Use a credential configuration instead of variables."""
        self.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT")
        document = self.cloud.external_account(self.provider, EMAIL)
        path = self.file("google.json", json.dumps({**document, **changes}))
        self.set(GOOGLE_APPLICATION_CREDENTIALS=path)


class _Cluster:
    """The issuer of an EKS cluster."""

    def __init__(self, cloud: Emulator) -> None:
        self._cloud = cloud

    def mint(self, subject: str, audience: str) -> str:
        assert subject == "system:serviceaccount:default:etl"
        return self._cloud.eks_token(audience)
