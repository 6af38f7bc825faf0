"""AWS half of the emulator: roles, users, identity providers and outbound federation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .accounts import Key, Role
from .containers import POD_AUDIENCE
from .discovery import OidcProvider
from .estate import DEFAULT_ACCOUNT, EKS_ISSUER, REGION, Estate
from .identity import ServiceAccount
from .issuer import DEFAULT_AUDIENCE, GOOGLE
from .permissions import Permissions
from .tokens import Provider
from .trust import TrustPolicy

__all__ = ["AwsSide"]

_LONGEST_ID = 255
_MOST_CLIENT_IDS = 100


class AwsSide(Estate):
    """Methods that change or inspect the emulated AWS accounts."""

    def add_role(
        self,
        arn: str,
        trust_policy: Mapping[str, Any] | str | None = None,
        *,
        audience: str = DEFAULT_AUDIENCE,
        max_session_duration: int = 3600,
        description: str = "",
    ) -> Role:
        """Create a role, or replace the role with the same ARN.

        Args:
            arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            trust_policy: The trust policy; `None`: this pod may assume the role, with a token for
                `audience`.
            audience: Audience for the default trust policy.
            max_session_duration: Longest session, in seconds; 3600 to 43200.
            description: Description of the role.

        Raises:
            ValueError: IAM rejects the role. The message begins with IAM's error code, such as
                `MalformedPolicyDocument` or `LimitExceeded`. Users and roles in the policy must
                exist.
        """
        policy = self.trust_policy_for(audience) if trust_policy is None else trust_policy
        return self._accounts.add_role(arn, TrustPolicy(policy), max_session_duration, description)

    def allow(self, arn: str, *actions: str, on: str = "*") -> None:
        """Allow actions to a user or a role, by an additional identity-based policy.

            cloud.allow(first, "sts:AssumeRole", on=second)

        A role needs permissions to assume a role in another account, to assume a role that trusts
        the account instead of the role, and to get a web identity token from AWS.

        Args:
            arn: ARN of the user or role.
            actions: The actions, such as `sts:AssumeRole`.
            on: ARN of the resource.

        Raises:
            ValueError: The user or role does not exist, or IAM rejects the policy.
        """
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
        self.attach_policy(arn, {"Version": "2012-10-17", "Statement": [statement]})

    def attach_policy(self, arn: str, policy: Mapping[str, Any] | str) -> None:
        """Attach an identity-based policy to a user or a role.

        Raises:
            ValueError: The user or role does not exist, or IAM rejects the policy.
        """
        self._accounts.attach_policy(arn, Permissions(policy))

    def remove_role(self, arn: str) -> None:
        """Delete a role. Credentials that were issued for it stay valid, as at AWS.

        Raises:
            KeyError: The role does not exist.
        """
        self._accounts.remove_role(arn)

    def trust_policy_for(
        self, audience: str = DEFAULT_AUDIENCE, service_account: ServiceAccount | None = None
    ) -> dict[str, Any]:
        """Return the trust policy for exactly one service account and one audience.

        It has conditions on all three keys, as in the IAM user guide's example for tokens with
        `azp`.
        """
        number = (service_account or self.service_account).unique_id
        keys = {"aud": number, "oaud": audience, "sub": number}
        return _web_identity_policy("accounts.google.com", "accounts.google.com", keys)

    def trust_policy_for_service(self, service: str) -> dict[str, Any]:
        """Return the trust policy for an AWS service, such as `ec2.amazonaws.com`.

        For `pods.eks.amazonaws.com` it allows `sts:TagSession` too: EKS tags its sessions.
        """
        actions = ["sts:AssumeRole", *(["sts:TagSession"] if service == POD_AUDIENCE else [])]
        return _policy({"Service": service}, actions)

    def trust_policy_for_irsa(
        self,
        *,
        namespace: str = "default",
        ksa: str = "etl",
        account: str = DEFAULT_ACCOUNT,
    ) -> dict[str, Any]:
        """Return the trust policy for one Kubernetes service account of the EKS cluster.

        EKS user guide, "Assign IAM roles to Kubernetes service accounts".
        """
        name = EKS_ISSUER.partition("://")[2]
        keys = {"aud": DEFAULT_AUDIENCE, "sub": f"system:serviceaccount:{namespace}:{ksa}"}
        return _web_identity_policy(f"arn:aws:iam::{account}:oidc-provider/{name}", name, keys)

    def add_oidc_provider(
        self,
        issuer_url: str,
        *,
        client_ids: tuple[str, ...] = (DEFAULT_AUDIENCE,),
        account: str = DEFAULT_ACCOUNT,
    ) -> OidcProvider:
        """Create an OIDC provider in an AWS account, such as for a Kubernetes cluster.

        A provider for `https://accounts.google.com` replaces the built-in provider in the account.
        AWS compares `client_ids` with the `azp` of a token, if it has one: the unique id of the
        service account, or its e-mail for tokens from a key file.

        Raises:
            ValueError: IAM rejects the URL, or there are no client ids or too many.
        """
        scheme, _, name = issuer_url.partition("://")
        if scheme != "https" or not name or not client_ids:
            raise ValueError("An OIDC provider needs an https:// URL and client ids.")
        # IAM API reference, CreateOpenIDConnectProvider: "path components are allowed but query
        # parameters are not"; a URL and each client id have at most 255 characters.
        if "?" in name or len(issuer_url) > _LONGEST_ID:
            raise ValueError(f"IAM rejects an OIDC provider with this URL: {issuer_url!r}")
        if len(client_ids) > _MOST_CLIENT_IDS:
            raise ValueError(f"LimitExceeded: an OIDC provider has at most {_MOST_CLIENT_IDS} ids.")
        if not all(0 < len(client_id) <= _LONGEST_ID for client_id in client_ids):
            raise ValueError(f"A client id has 1 to {_LONGEST_ID} characters.")
        arn = f"arn:aws:iam::{account}:oidc-provider/{name}"
        names = {arn}
        if issuer_url == GOOGLE:
            names.add(name)
        issuer = self._issuer_of(issuer_url)
        provider = Provider(issuer, frozenset(names), frozenset(client_ids))
        self._accounts.add_provider(account, issuer_url, provider)
        return OidcProvider(arn, issuer, self.issuer.jwks_uri(issuer))

    def add_user(self, name: str = "dev", *, account: str = DEFAULT_ACCOUNT) -> Key:
        """Create an IAM user. Return its long-term access key."""
        return self._accounts.add_user(f"arn:aws:iam::{account}:user/{name}", account)

    def key(self, access_key_id: str) -> Key | None:
        """Return the key with this id, for a fake AWS service that verifies signatures.

        The key may have expired. `None`: the key was never issued, or is revoked.
        """
        return self._accounts.key(access_key_id)

    def revoke(self, access_key_id: str) -> None:
        """Delete the access key of a user or of a session.

        Raises:
            KeyError: The key does not exist.
        """
        self._accounts.revoke(access_key_id)

    def _role(self, arn: str) -> Role:
        role = self._accounts.role(arn)
        if role is None:
            raise ValueError(f"There is no role {arn}.")
        return role

    def _aws_environ(self) -> dict[str, str]:
        """Return the environment variables that all programs on AWS have."""
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._proxy_exceptions(),
        }

    def enable_outbound_federation(self, account: str = DEFAULT_ACCOUNT) -> str:
        """Enable web identity tokens (GetWebIdentityToken) in an account. Return their `iss`."""
        number = uuid.uuid5(uuid.NAMESPACE_URL, account)
        issuer = self._issuer_of(f"https://{number}.tokens.sts.global.api.aws")
        self._accounts.enable_outbound(account, issuer)
        return issuer.url


def _web_identity_policy(federated: str, prefix: str, values: Mapping[str, str]) -> dict[str, Any]:
    conditions = {f"{prefix}:{key}": value for key, value in values.items()}
    return _policy(
        {"Federated": federated},
        "sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": conditions},
    )


def _policy(principal: Mapping[str, str], action: object, **more: object) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}
