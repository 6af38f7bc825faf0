"""AWS's half of the emulator: roles, users, whom an account trusts, and what it lets out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .accounts import Key, Role
from .containers import POD_AUDIENCE
from .discovery import OidcProvider
from .estate import DEFAULT_ACCOUNT, EKS_ISSUER, REGION, Estate, loopback_exceptions
from .identity import ServiceAccount
from .issuer import DEFAULT_AUDIENCE, GOOGLE
from .permissions import Permissions
from .tokens import Provider
from .trust import TrustPolicy

__all__ = ["AwsSide"]

_LONGEST_ID = 255
_MOST_CLIENT_IDS = 100


class AwsSide(Estate):
    """What a test changes and asks of the emulated AWS accounts."""

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
            ValueError: IAM would refuse this: the message begins with the code that IAM answers
                with, such as `MalformedPolicyDocument` or `LimitExceeded`. Users and roles that
                the policy names must exist.
        """
        policy = self.trust_policy_for(audience) if trust_policy is None else trust_policy
        return self._accounts.add_role(arn, TrustPolicy(policy), max_session_duration, description)

    def allow(self, arn: str, *actions: str, on: str = "*") -> None:
        """Give a user or a role permissions, by one more identity-based policy.

            cloud.allow(first, "sts:AssumeRole", on=second)

        Without any, a role cannot assume one in another account, or one that trusts its account
        rather than the role itself; nor can it have a web identity token of AWS.

        Args:
            arn: The user's or the role's.
            actions: Such as `sts:AssumeRole`.
            on: The ARN of what they are allowed on.

        Raises:
            ValueError: There is no such user or role, or IAM would refuse the policy.
        """
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
        self.attach_policy(arn, {"Version": "2012-10-17", "Statement": [statement]})

    def attach_policy(self, arn: str, policy: Mapping[str, Any] | str) -> None:
        """Give a user or a role one more identity-based policy, which may also deny.

        Raises:
            ValueError: There is no such user or role, or IAM would refuse the policy.
        """
        self._accounts.attach_policy(arn, Permissions(policy))

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
        keys = {"aud": number, "oaud": audience, "sub": number}
        return _web_identity_policy("accounts.google.com", "accounts.google.com", keys)

    def trust_policy_for_service(self, service: str) -> dict[str, Any]:
        """Return the policy that admits an AWS service, such as `ec2.amazonaws.com`.

        EKS's (`pods.eks.amazonaws.com`) tags its sessions, and needs to be allowed that.
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
        """Return the policy that admits one Kubernetes service account of the EKS cluster.

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
        """Let an AWS account trust an OIDC issuer, such as a Kubernetes cluster's own.

        For `https://accounts.google.com` the account then has a provider of its own instead of
        the built-in one. What AWS looks for among `client_ids` is a token's `azp`, where it has
        one: the service account's number, or its e-mail in tokens of a key file.

        Raises:
            ValueError: IAM would refuse the URL, or the client ids are none or too many.
        """
        scheme, _, name = issuer_url.partition("://")
        if scheme != "https" or not name or not client_ids:
            raise ValueError("An OIDC provider needs an https:// URL and client ids.")
        # IAM API reference, CreateOpenIDConnectProvider: "path components are allowed but query
        # parameters are not"; a URL and each client id have at most 255 characters.
        if "?" in name or len(issuer_url) > _LONGEST_ID:
            raise ValueError(f"IAM takes no OIDC provider of this URL: {issuer_url!r}")
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

    def _role(self, arn: str) -> Role:
        role = self._accounts.role(arn)
        if role is None:
            raise ValueError(f"There is no role {arn}.")
        return role

    def _aws_environ(self) -> dict[str, str]:
        """Return what every program on AWS has in its environment, wherever it runs."""
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **loopback_exceptions(),
        }

    def enable_outbound_federation(self, account: str = DEFAULT_ACCOUNT) -> str:
        """Let callers of an account have web identity tokens of AWS; return their `iss`."""
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
