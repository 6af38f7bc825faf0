"""Both clouds as one object: what a pod in GKE sees of Google, and AWS STS beyond it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .accounts import Accounts, Key, Role
from .clock import Clock, real_clock
from .discovery import Discovery, OidcProvider
from .identity import ServiceAccount
from .issuer import DEFAULT_AUDIENCE, GOOGLE, Issuer
from .metadata import Metadata
from .server import LOOPBACK
from .sts import STS
from .tokens import Provider
from .trust import TrustPolicy

__all__ = ["Emulator"]

DEFAULT_ACCOUNT = "123456789012"


class Emulator:
    """A GKE metadata server and an AWS STS on loopback, as strict as the clouds'.

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

    def __init__(
        self,
        *,
        clock: Clock = real_clock,
        service_account: ServiceAccount | None = None,
        linked: bool = True,
        metadata_port: int = 0,
        sts_port: int = 0,
    ) -> None:
        self.clock = self._first_clock = clock
        self._service_account = service_account or ServiceAccount()
        self._linked = linked
        self._accounts = Accounts()
        self._google = Issuer(GOOGLE, self._now)
        self.metadata = Metadata(self.service_account, self._google, self._now, metadata_port)
        self.metadata.linked = linked
        self.sts = STS(self._accounts, self._google, self._now, sts_port)
        self.issuer = Discovery(self._now)
        self.issuer.publish(self._google)

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Emulator {self.metadata!r} {self.sts!r}>"

    @property
    def service_account(self) -> ServiceAccount:
        """The identity of the pod."""
        return self._service_account

    def _now(self) -> datetime:
        return self.clock()

    # Life.

    def start(self) -> None:
        """Serve all ports. Does nothing where they are served already.

        Raises:
            OSError: A port that was asked for is taken.
            OverflowError: It is none.
        """
        try:
            for service in (self.metadata, self.sts, self.issuer):
                service.start()
        except (OSError, OverflowError):
            self.stop()
            raise

    def stop(self) -> None:
        """Refuse connections and cut those there are; a later `start` has the same ports.

        Raises:
            RuntimeError: Answering some request failed inside the emulator.
        """
        try:
            self.metadata.stop()
        finally:
            try:
                self.sts.stop()
            finally:
                self.issuer.stop()

    def reset(self) -> None:
        """Go back to the state after `start`, without a restart.

        Forgets requests, faults, latency, cached tokens, roles, providers, users, issued keys and
        rotations; the clock and the link are again those given to the constructor.

        Raises:
            RuntimeError: Answering some request failed inside the emulator.
        """
        self.clock = self._first_clock
        self.metadata.linked = self._linked
        self._accounts.clear()
        self._google.reset()
        self.issuer.forget_all_but_first()
        for service in (self.metadata, self.sts, self.issuer):
            service.reset()

    @property
    def environ(self) -> dict[str, str]:
        """What a program must have in its environment to meet these clouds; a new dict.

        Where the present environment sets a proxy, loopback is excepted from it.
        """
        metadata = f"{LOOPBACK}:{self.metadata.port}"
        found = {
            "GCE_METADATA_HOST": metadata,
            "GCE_METADATA_IP": metadata,
            # gcloud, and google-auth where GCE_METADATA_HOST is not set, read the older name.
            "GCE_METADATA_ROOT": metadata,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if any(name.lower().endswith("_proxy") for name in os.environ):
            for name in ("NO_PROXY", "no_proxy"):
                excepted = filter(None, (os.environ.get(name), LOOPBACK, "localhost"))
                found[name] = ",".join(excepted)
        return found

    @property
    def jwks_uri(self) -> str:
        """Where Google's keys are published."""
        return self.issuer.jwks_uri(self._google)

    # Google.

    def mint(
        self,
        audience: str = DEFAULT_AUDIENCE,
        *,
        forged: bool = False,
        header: Mapping[str, Any] | None = None,
        **claim_overrides: Any,
    ) -> str:
        """Return an ID token of the pod's service account, as Google would sign it.

        Args:
            audience: `aud`.
            forged: Sign with a key that is not Google's, under the id of Google's.
            header: Changes of the token's header, such as `{"alg": "none"}`; see `Issuer.sign`.
            claim_overrides: Claims to add or replace; `None` removes one.
        """
        number = self.service_account.unique_id
        claims = self._google.google_claims(number, audience, claim_overrides)
        return self._google.sign(claims, header=header, forged=forged)

    def rotate_signing_key(self, *, retire: bool = False) -> None:
        """Let Google sign with a new key from now on.

        Args:
            retire: Take the earlier keys out of the key set, so that tokens signed with them
                (those in the metadata server's cache, too) are refused.
        """
        self._google.rotate(retire=retire)

    def unlink(self) -> None:
        """Leave the pod without a Google service account: it has no ID tokens any more."""
        self.metadata.linked = False

    # AWS.

    def add_role(
        self,
        arn: str,
        trust_policy: Mapping[str, Any] | str | None = None,
        *,
        audience: str = DEFAULT_AUDIENCE,
        max_session_duration: int = 3600,
        description: str = "",
    ) -> Role:
        """Make a role, or replace the one of this ARN.

        Args:
            arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            trust_policy: Who may assume it; `None`: this pod, with a token for `audience`.
            audience: See `trust_policy`.
            max_session_duration: Longest session, in seconds; 3600 to 43200.
            description: For the reader.

        Raises:
            ValueError: IAM would refuse this, or the policy needs something that the emulator
                does not evaluate.
        """
        policy = self.trust_policy_for(audience) if trust_policy is None else trust_policy
        return self._accounts.add_role(arn, TrustPolicy(policy), max_session_duration, description)

    def remove_role(self, arn: str) -> None:
        """Delete a role. Sessions that it has given out stay good, as at AWS.

        Raises:
            KeyError: There is none of this ARN.
        """
        self._accounts.remove_role(arn)

    def trust_policy_for(
        self, audience: str = DEFAULT_AUDIENCE, service_account: ServiceAccount | None = None
    ) -> dict[str, Any]:
        """Return the policy that admits exactly one service account for exactly one audience.

        All three keys are pinned, as in the IAM user guide's example for tokens that have `azp`.
        """
        number = (service_account or self.service_account).unique_id
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": "accounts.google.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    "accounts.google.com:aud": number,
                    "accounts.google.com:oaud": audience,
                    "accounts.google.com:sub": number,
                }
            },
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def add_oidc_provider(
        self,
        issuer_url: str,
        *,
        client_ids: tuple[str, ...] = (DEFAULT_AUDIENCE,),
        account: str = DEFAULT_ACCOUNT,
    ) -> OidcProvider:
        """Let an AWS account trust an OIDC issuer, such as a Kubernetes cluster's own.

        For `https://accounts.google.com` the account then has a provider of its own instead of
        the built-in one, and the audience must be among `client_ids`.

        Raises:
            ValueError: The URL does not begin with https://, or there are no client ids.
        """
        scheme, _, name = issuer_url.partition("://")
        if scheme != "https" or not name or not client_ids:
            raise ValueError("An OIDC provider needs an https:// URL and client ids.")
        arn = f"arn:aws:iam::{account}:oidc-provider/{name}"
        names = {arn}
        if issuer_url == GOOGLE:
            issuer = self._google
            names.add(name)
        else:
            issuer = Issuer(issuer_url, self._now)
            self.issuer.publish(issuer)
        provider = Provider(issuer, frozenset(names), frozenset(client_ids))
        self._accounts.add_provider(account, issuer_url, provider)
        return OidcProvider(arn, issuer, self.issuer.jwks_uri(issuer))

    def add_user(self, name: str = "dev", *, account: str = DEFAULT_ACCOUNT) -> Key:
        """Make an IAM user with a long-term access key, which `Key` holds."""
        return self._accounts.add_user(f"arn:aws:iam::{account}:user/{name}", account)

    def key(self, access_key_id: str) -> Key | None:
        """Return what AWS knows under this id, ended or not: for a service that checks signatures.

        None where it was never issued, or is revoked.
        """
        return self._accounts.key(access_key_id)

    def revoke(self, access_key_id: str) -> None:
        """Make a key that STS has issued, or a user's, unknown to AWS.

        Raises:
            KeyError: There is no such key.
        """
        self._accounts.revoke(access_key_id)
