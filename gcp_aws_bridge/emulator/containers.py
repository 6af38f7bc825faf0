"""Emulated credential agents for containers: EKS Pod Identity Agent and ECS container agent.

Written from the EKS user guide ("Learn how EKS Pod Identity grants pods access to AWS services"),
the EKS Auth API reference, the messages of the agent, and the ECS developer guide ("Task IAM
role"). One port serves both: EKS at `/v1/credentials`, ECS below `/v2/credentials/`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from . import jws
from .accounts import Accounts, Key
from .answers import AwsError
from .clock import Clock, iso
from .faults import Fault
from .issuer import Issuer
from .requestlog import Recorded
from .server import Reply
from .service import Service
from .service_roles import assume_for_workload

__all__ = ["POD_AUDIENCE", "PodIdentityAgent"]

POD_AUDIENCE = "pods.eks.amazonaws.com"
"""`aud` of a pod's token; also the service principal in the trust policy of a role."""

_POD_PATH = "/v1/credentials"
_TASK_PATH = "/v2/credentials/"
_TASK_SERVICE = "ecs-tasks.amazonaws.com"

# Credentials of both agents last six hours. An agent caches them for half of that time.
_LIFETIME = timedelta(hours=6)
_KEPT = timedelta(hours=3)
# Session names in bug reports: eks-, ten characters of the cluster's name, ten of the pod's name,
# and a UUID.
_NAME_PART = 10


@dataclass(frozen=True, slots=True)
class _Task:
    """An ECS task: its role, and the token that it must send, if any."""

    role_arn: str
    token: str | None = field(repr=False)


class PodIdentityAgent(Service):
    """The Pod Identity Agent of one EKS cluster, and the ECS agent.

    AWS serves them at 169.254.170.23 and 169.254.170.2.

    Args:
        accounts: State of AWS.
        cluster: Issuer of the tokens of pods.
        cluster_arn: ARN of the cluster.
        clock: Returns the current time.
    """

    def __init__(self, accounts: Accounts, cluster: Issuer, cluster_arn: str, clock: Clock) -> None:
        super().__init__(clock)
        self._accounts = accounts
        self._cluster = cluster
        self._cluster_arn = cluster_arn
        self._cluster_name = cluster_arn.rpartition("/")[2]

    def forget(self) -> None:
        """Delete associations, tasks and credentials."""
        with self._state:
            self._associations: dict[tuple[str, str], str] = {}
            self._tasks: dict[str, _Task] = {}
            self._kept: dict[tuple[str, ...], Key] = {}

    def forget_credentials(self) -> None:
        """Delete all cached credentials, as a restart of the agent does."""
        with self._state:
            self._kept = {}

    def associate(self, namespace: str, kubernetes_name: str, role_arn: str) -> None:
        """Associate a role with a Kubernetes service account."""
        with self._state:
            self._associations[namespace, kubernetes_name] = role_arn

    def add_task(self, role_arn: str, token: str | None = None) -> str:
        """Add an ECS task. Return the URL of its credentials.

        Args:
            role_arn: Role of the task.
            token: Required `Authorization` header; `None`: no header is required.
        """
        number = str(uuid.uuid4())
        with self._state:
            self._tasks[number] = _Task(role_arn, token)
        return f"{self.url}{_TASK_PATH}{number}"

    @property
    def pod_url(self) -> str:
        """The URL of the credentials of pods."""
        return self.url + _POD_PATH

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.method != "GET":
            return _refused(405, "Method Not Allowed")
        try:
            if request.path == _POD_PATH:
                return self._pod(request.headers.get("Authorization", ""))
            if request.path.startswith(_TASK_PATH):
                return self._task(request)
        except AwsError as error:
            return _refused(error.status, f"{error.code}: {error.message}")
        return _refused(404, "404 page not found")

    # EKS.

    def _pod(self, token: str) -> Reply:
        claims = self._verified(token)
        try:
            where = claims["kubernetes.io"]
            namespace, name = str(where["namespace"]), str(where["serviceaccount"]["name"])
            pod, uid = str(where["pod"]["name"]), str(where["pod"]["uid"])
        except (LookupError, TypeError):
            raise AwsError("InvalidTokenException", "The token is not a pod's.") from None
        with self._state:
            role_arn = self._associations.get((namespace, name))
        if role_arn is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"No EKS Pod Identity association found for {namespace}/{name}.",
                404,
            )
        tags = {
            "eks-cluster-arn": self._cluster_arn,
            "eks-cluster-name": self._cluster_name,
            "kubernetes-namespace": namespace,
            "kubernetes-service-account": name,
            "kubernetes-pod-name": pod,
            "kubernetes-pod-uid": uid,
        }
        parts = ("eks", self._cluster_name[:_NAME_PART], pod[:_NAME_PART])

        def assume() -> Key:
            session_name = "-".join((*parts, str(uuid.uuid4())))
            now = self._clock()
            return assume_for_workload(
                self._accounts, role_arn, POD_AUDIENCE, session_name, now + _LIFETIME, tags, now=now
            )

        return _credentials(self._cached((role_arn, *tags.values()), assume))

    def _verified(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a pod's token, verified as by the EKS Auth API."""
        if not token:
            raise AwsError("InvalidRequestException", "Service account token cannot be empty")
        try:
            found = jws.decode(token)
        except ValueError:
            raise AwsError(
                "InvalidTokenException", "Service account token cannot be parsed"
            ) from None
        claims, now = found.claims, self._clock().timestamp()
        key = self._cluster.verification_key(str(found.header.get("kid")))
        if key is None or not found.is_rs256 or not found.is_signed_by(key):
            raise AwsError("InvalidTokenException", "The token's signature is invalid.")
        if claims.get("iss") != self._cluster.url or POD_AUDIENCE not in jws.strings(
            claims.get("aud")
        ):
            raise AwsError("InvalidTokenException", "The token's issuer or audience is invalid.")
        if not jws.is_date(claims.get("exp")) or now >= claims["exp"]:
            raise AwsError("ExpiredTokenException", "The token is expired.")
        return claims

    # ECS.

    def _task(self, request: Recorded) -> Reply:
        number = request.path.removeprefix(_TASK_PATH)
        with self._state:
            task = self._tasks.get(number)
        if task is None:
            return _refused(404, "Credentials not found")
        if task.token is not None and request.headers.get("Authorization") != task.token:
            return _refused(401, "Unauthorized")

        def assume() -> Key:
            now, name = self._clock(), number.replace("-", "")
            return assume_for_workload(
                self._accounts, task.role_arn, _TASK_SERVICE, name, now + _LIFETIME, now=now
            )

        return _credentials(self._cached((number,), assume), RoleArn=task.role_arn)

    def _cached(self, name: tuple[str, ...], assume: Callable[[], Key]) -> Key:
        """Return cached credentials with half of their lifetime left, or new ones."""
        now = self._clock()
        with self._state:
            found = self._kept.get(name)
            if found is None or found.expiration is None or found.expiration - now <= _KEPT:
                found = self._kept[name] = assume()
            return found


def _credentials(key: Key, **more: str) -> Reply:
    body = {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "Token": key.session_token,
        "AccountId": key.caller.account,
        "Expiration": iso(key.expiration) if key.expiration else None,
        **more,
    }
    return Reply.json(body)


def _refused(status: int, message: str) -> Reply:
    headers = (("Content-Type", "text/plain; charset=utf-8"),)
    return Reply(status, f"{message}\n".encode(), headers)
