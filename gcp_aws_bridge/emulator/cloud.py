"""The public `Emulator`, which combines both clouds and their workloads."""

from __future__ import annotations

import os
from typing import Any

from .google_side import GoogleSide
from .providers import WorkloadProvider
from .workloads import Workloads

__all__ = ["Emulator"]

_TOKEN_TYPES = {
    "aws": "urn:ietf:params:aws:token-type:aws4_request",
    "file": "urn:ietf:params:oauth:token-type:jwt",
}


class Emulator(GoogleSide, Workloads):
    """Google and AWS on loopback, as strict as the clouds: a pod in GKE, and workloads on AWS.

        with Emulator() as cloud:
            cloud.add_role("arn:aws:iam::123456789012:role/etl")
            subprocess.run(program, env={**os.environ, **cloud.environ})

    It never uses the library that it tests. Safe to share between threads; change it from one
    thread at a time.

    Args:
        clock: Clock of both clouds.
        service_account: Google service account of the pod.
        linked: Whether the pod's Kubernetes service account is linked to `service_account`; see
            `unlink`.
        metadata_port: Port of the metadata server; 0: any free port.
        sts_port: Port of STS; 0: any free port.
        host: 127.0.0.1 or ::1; `None`: 127.0.0.1, or ::1 on a machine without IPv4.

    Attributes:
        clock: Clock of both clouds; can be set at any time.
        metadata: The metadata server: its requests, faults, latency and outages.
        sts: AWS STS, with the same attributes.
        issuer: The server that publishes signing keys, with the same attributes.
    """

    def __repr__(self) -> str:
        return f"<Emulator {self.metadata!r} {self.sts!r}>"

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables that connect a program, as a pod in GKE, to these clouds.

        Excludes loopback from proxies if the current environment sets a proxy.
        """
        metadata = self.metadata.address
        return {
            "GCE_METADATA_HOST": metadata,
            "GCE_METADATA_IP": metadata,
            # gcloud reads this older name, as does google-auth without GCE_METADATA_HOST.
            "GCE_METADATA_ROOT": metadata,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._proxy_exceptions(),
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

        The URLs are those of this emulator.

        Args:
            provider: The workload identity pool provider.
            service_account: E-mail of the service account to impersonate; `None`: no
                impersonation.
            lifetime_s: Lifetime of the service account's token, in seconds.
            source: `aws` (the environment, then EC2's metadata service) or `file`.
            file: Path of the token, for `file`.

        Raises:
            ValueError: The source is unknown, or `file` is missing.
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
