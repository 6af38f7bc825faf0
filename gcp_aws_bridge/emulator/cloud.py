"""Both clouds as one object: what a workload sees of its own cloud, and the other beyond it."""

from __future__ import annotations

import os
from typing import Any

from .estate import loopback_exceptions
from .google_side import GoogleSide
from .laptop import Laptop
from .providers import WorkloadProvider
from .server import LOOPBACK
from .workloads import Workloads

__all__ = ["Emulator"]

_TOKEN_TYPES = {
    "aws": "urn:ietf:params:aws:token-type:aws4_request",
    "file": "urn:ietf:params:oauth:token-type:jwt",
}


class Emulator(GoogleSide, Workloads, Laptop):
    """Google and AWS on loopback, as strict as the clouds: a pod in GKE, and workloads on AWS.

        with Emulator() as cloud:
            cloud.add_role("arn:aws:iam::123456789012:role/etl")
            subprocess.run(program, env={**os.environ, **cloud.environ})

    It never uses the library that it tests. Safe to share between threads; one at a time should
    change it.

    Args:
        clock: The clock that the clouds go by.
        service_account: Whose identity the pod has.
        linked: Whether the pod's Kubernetes service account is linked to it; see `unlink`.
        metadata_port: Port of the metadata server; any free one when 0.
        sts_port: Port of STS; any free one when 0.

    Attributes:
        clock: May be set at any time.
        metadata: The metadata server: its requests, faults, latency, outages.
        sts: The same of STS.
        issuer: The same of the server that publishes signing keys.
    """

    def __repr__(self) -> str:
        return f"<Emulator {self.metadata!r} {self.sts!r}>"

    @property
    def environ(self) -> dict[str, str]:
        """What a program in GKE must have in its environment to meet these clouds; a new dict.

        Where the present environment sets a proxy, loopback is excepted from it.
        """
        metadata = f"{LOOPBACK}:{self.metadata.port}"
        return {
            "GCE_METADATA_HOST": metadata,
            "GCE_METADATA_IP": metadata,
            # gcloud, and google-auth where GCE_METADATA_HOST is not set, read the older name.
            "GCE_METADATA_ROOT": metadata,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **loopback_exceptions(),
        }

    def external_account(
        self,
        provider: WorkloadProvider,
        service_account: str | None = None,
        lifetime_s: int | None = None,
        source: str = "aws",
        *,
        file: str | os.PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """Return what `gcloud iam workload-identity-pools create-cred-config` writes.

        With the URLs of this emulator.

        Args:
            provider: Who shall take the credential.
            service_account: E-mail of the account to act as; none, when `None`.
            lifetime_s: How long that account's token shall live, in seconds.
            source: `aws` (EC2's metadata service, after the environment) or `file`.
            file: Where the token is, for `file`.

        Raises:
            ValueError: There is no such source, or no file for it.
        """
        if source not in _TOKEN_TYPES or (source == "file") != (file is not None):
            raise ValueError("source is aws, or file with a file.")
        found: dict[str, Any] = {
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": provider.audience,
            "subject_token_type": _TOKEN_TYPES[source],
            "token_url": f"{self.google_sts.url}/v1/token",
            "credential_source": (
                self._aws_source() if file is None else {"file": os.fspath(file)}
            ),
        }
        if service_account is not None:
            found["service_account_impersonation_url"] = (
                f"{self.iam_credentials.url}/v1/projects/-/serviceAccounts/{service_account}"
                ":generateAccessToken"
            )
            if lifetime_s is not None:
                found["service_account_impersonation"] = {"token_lifetime_seconds": lifetime_s}
        return found

    def _aws_source(self) -> dict[str, str]:
        root = f"{self.imds.url}/latest"
        return {
            "environment_id": "aws1",
            "region_url": f"{root}/meta-data/placement/availability-zone",
            "url": f"{root}/meta-data/iam/security-credentials",
            "regional_cred_verification_url": (
                "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
            ),
            "imdsv2_session_token_url": f"{root}/api/token",
        }
