"""`Requests`: the annotations of a pod and of its service account, as checked values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gcp_aws_bridge._settings import parsed_chain
from gcp_aws_bridge.config import DEFAULT_AUDIENCE, Role
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.google._federation import Federation

PREFIX = "gcp-aws-bridge"
LABEL = f"{PREFIX}/inject"  # label of the pods that the webhook changes
CREDENTIALS = f"{PREFIX}/google-credentials"  # the annotation that `to_google` adds
# Prefixes of other webhooks, and the audience of the tokens that each of them requests:
# aws/amazon-eks-pod-identity-webhook, README; doitintl/gtoken, cmd/gtoken-webhook/main.go.
PREFIXES = {
    PREFIX: DEFAULT_AUDIENCE,
    "eks.amazonaws.com": "sts.amazonaws.com",
    "amazonaws.com": "gtoken/sts/assume-role-with-web-identity",
}
_NAMES = (
    *("role-arn", "audience", "region", "method", "token-expiration", "skip-containers", "chain"),
    *("google-provider", "google-service-account", "google-credentials"),
)
_TO_AWS, _TO_GOOGLE = ("cluster-token", "google"), ("google-cloud", "google-serve")
# GKE, "Authenticate to Google Cloud APIs from GKE workloads": the linked Google service account.
LINK = "iam.gke.io/gcp-service-account"
# Kubernetes API reference, ServiceAccountTokenProjection: at least 600 s. Google Cloud, "Workload
# Identity Federation with other providers": a subject token lives for at most 24 hours.
_EXPIRATION_S = range(600, 86_401)


@dataclass(frozen=True)
class AwsRequest:
    """A role in AWS, by the method `cluster-token` or `google`."""

    role: Role
    method: str
    expiration_s: int


@dataclass(frozen=True)
class GoogleRequest:
    """An identity in Google Cloud, by the method `google-cloud` or `google-serve`."""

    federation: Federation
    method: str
    expiration_s: int


class Requests:
    """The requests of a pod. Its own annotations take precedence over those of its account.

    Attributes:
        aws: The request for AWS, if any.
        google: The request for Google Cloud, if any.
        skipped: Names of containers that must not be changed.
        unknown: Annotations with the library's prefix that it does not define.

    Raises:
        ConfigError: An annotation is malformed.
    """

    def __init__(
        self,
        pod: Mapping[str, str],
        account: Mapping[str, str],
        prefixes: tuple[str, ...],
        region: str | None,
    ) -> None:
        self._found = {"pod": pod, "service account": account}
        self._prefixes = prefixes
        self._used: dict[str, str] = {}  # by name, such as "gcp-aws-bridge/region of the pod"
        known = {f"{PREFIX}/{name}" for name in _NAMES}
        own = {key for key in map(str, (*pod, *account)) if key.startswith(f"{PREFIX}/")}
        self.unknown: list[str] = sorted(own - {*known, LABEL})
        try:
            names = self._get("skip-containers").split(",")
            self.skipped: frozenset[str] = frozenset(name.strip() for name in names if name.strip())
            self.aws: AwsRequest | None = self._aws(region)
            self.google: GoogleRequest | None = self._google()
        except ConfigError as error:
            # The checks of `Role` and `Federation` do not know annotations.
            is_google = "google" in error.error_id
            form = error.fix if is_google else "correct the annotation."
            raise ConfigError(
                "The annotations of the pod or its service account are malformed: "
                f"{error.args[0]} (Annotations: {', '.join(self._used.values())}.)",
                fix=f"{form} Then create the pod again.",
                error_id="config/annotation",
            ) from None

    def _aws(self, region: str | None) -> AwsRequest | None:
        if not (arn := self._get("role-arn")):
            return None
        role = Role(
            arn,
            self._get(
                "audience", PREFIXES.get(self._used["role-arn"].partition("/")[0], DEFAULT_AUDIENCE)
            ),
            region_name=self._get("region") or region,
            chain=parsed_chain(self._get("chain").strip(), "the annotation"),
        )
        linked = self._found["service account"].get(LINK)
        method = self._method(_TO_AWS, "google" if linked else "cluster-token")
        if role.chain and method != "google":
            raise ConfigError("Chained roles need the method google, whose sidecar assumes them.")
        return AwsRequest(role, method, self._expiration_s())

    def _google(self) -> GoogleRequest | None:
        if not (provider := self._get("google-provider")):
            return None
        federation = Federation(provider, self._get("google-service-account") or None)
        method = self._method(_TO_GOOGLE, "google-cloud")
        return GoogleRequest(federation, method, self._expiration_s())

    def _method(self, methods: tuple[str, ...], default: str) -> str:
        """Return one of *methods*; *default* if the annotation names one of the other direction."""
        method = self._get("method", default)
        if method not in (*_TO_AWS, *_TO_GOOGLE):
            every = ", ".join((*_TO_AWS, *_TO_GOOGLE))
            raise ConfigError(f"The method is {quoted(method)}; it must be one of {every}.")
        return method if method in methods else default

    def _expiration_s(self) -> int:
        text = self._get("token-expiration", "3600")
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) not in _EXPIRATION_S:
            raise ConfigError(
                f"The token expiration is {quoted(text)}; it must be 600 to 86400 seconds."
            )
        return int(text)

    def _get(self, name: str, default: str = "") -> str:
        """Return the value of an annotation, or *default* if it is missing or empty."""
        for owner, found in self._found.items():
            for prefix in self._prefixes:
                if (key := f"{prefix}/{name}") in found:
                    self._used[name] = f"{key} of the {owner}"
                    value: Any = found[key]
                    # The API server rejects the numbers and truth values of a manifest, too.
                    if not isinstance(value, str) and value is not None:
                        raise ConfigError(f"{key} is not text: write it with quotes.")
                    return value or default
        return default
