"""`Federation`: the settings for a Google identity as one checked value, and their sources.

Reads `GCP_AWS_BRIDGE_GOOGLE_AUDIENCE`, `…_SERVICE_ACCOUNT`, `…_STS_URL`, `…_IAM_URL`, and the
credential configuration file that `GOOGLE_APPLICATION_CREDENTIALS` names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from gcp_aws_bridge._tokens.https import is_confidential
from gcp_aws_bridge._tokens.service_account import require_service_account
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._value import as_settings
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy.names import project_of

# Google Cloud, "REST Resource: projects.locations.workloadIdentityPools.providers": the resource
# name. The token endpoint requires it with the prefix of the service.
_PROVIDER = (
    r"(?:(?:https:)?//iam\.([a-z0-9.-]+)/)?"
    r"(projects/(\d+|[a-z][a-z0-9:.-]*)/locations/[a-z0-9-]+"
    r"/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+)"
)
_IMPERSONATION = ("/v1/projects/-/serviceAccounts/", ":generateAccessToken")
_PUBLIC = "googleapis.com"
_UNIVERSE = r"[a-z0-9-]+(\.[a-z0-9-]+)+"
# Google Cloud, "Service endpoints": the endpoints of a universe, by its domain.
_STS = "https://sts.{}/v1/token"
_IAM = "https://iamcredentials.{}"
# IAM Service Account Credentials API, generateAccessToken: one hour by default, up to 12 if the
# organization allows it. google-auth's configuration also requires at least ten minutes.
_LIFETIME_S = range(600, 43_201)
_KIND = "external_account"
# Subject token types: RFC 8693, section 3, and Google Cloud, "Method: token": subjectTokenType.
SIGNED_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
JWT = "urn:ietf:params:oauth:token-type:jwt"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
_VARIABLES = {
    "audience": "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE",
    "service_account": "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT",
    "sts_url": "GCP_AWS_BRIDGE_GOOGLE_STS_URL",
    "iam_url": "GCP_AWS_BRIDGE_GOOGLE_IAM_URL",
}


@dataclass(frozen=True)
class Federation:
    """A workload identity pool provider, and a service account to impersonate.

    Args:
        audience: Name of the provider: `//iam.googleapis.com/projects/NUMBER/locations/global/
            workloadIdentityPools/POOL/providers/PROVIDER`, with or without the part before
            `projects/`.
        service_account: E-mail of a service account to impersonate. None: the federated identity
            itself, for services of Google Cloud that support it.
        lifetime_s: Lifetime of the service account's tokens in seconds: 600 to 3600, or up to
            43200 if the organization's policy allows it.
        universe_domain: Domain of the universe; `googleapis.com` is the public cloud.
        sts_url, iam_url: Addresses of Google's token endpoint and of the IAM Credentials API, if
            they differ (Private Service Connect). HTTPS, or loopback.

    Raises:
        ConfigError: A value is malformed.
    """

    audience: str
    service_account: str | None = None
    lifetime_s: int = 3600
    universe_domain: str = _PUBLIC
    sts_url: str = ""
    iam_url: str = ""

    def __post_init__(self) -> None:
        if self.universe_domain != _PUBLIC and not _matches(_UNIVERSE, self.universe_domain):
            raise _malformed(
                "universe domain", self.universe_domain, "give one like googleapis.com."
            )
        object.__setattr__(self, "audience", self._full(self.audience))
        if self.service_account is not None:
            require_service_account(self.service_account)
        if type(self.lifetime_s) is not int or self.lifetime_s not in _LIFETIME_S:
            raise _malformed("lifetime", self.lifetime_s, "give 600 to 43200, in whole seconds.")
        domain = self.universe_domain
        for name, default in (
            ("sts_url", _STS.format(domain)),
            ("iam_url", _IAM.format(domain)),
        ):
            url = getattr(self, name) or default
            if not is_confidential(url):
                raise ConfigError(
                    f"The address of Google's {name[:3].upper()} is {quoted(url)}; tokens go over "
                    "HTTPS only (plain HTTP to this machine alone, for emulators).",
                    fix="give an https:// address, or none.",
                    error_id="config/google-plain-http",
                )
            # requests would send a user name in the URL instead of the bearer token.
            if set(url) & set("@?#") or url.split() != [url]:
                raise _malformed(
                    f"address of Google's {name[:3].upper()}",
                    url,
                    "give https://HOST and a path: no user, no query, no blanks.",
                )
            if name == "sts_url" and not urlsplit(url).path.strip("/"):
                raise _malformed(
                    "address of Google's STS",
                    url,
                    f"give that of its token endpoint: {url.rstrip('/')}/v1/token.",
                )
            object.__setattr__(self, name, url.rstrip("/"))

    def __reduce__(self) -> tuple[Any, ...]:
        return as_settings(self)

    @property
    def label(self) -> str:
        """Name of the identity in logs and errors."""
        return self.service_account or self.audience.partition("projects/")[2]

    @property
    def project(self) -> str:
        """Project of the service account; else the number of the pool's project."""
        of_account = project_of(self.service_account or "")
        return of_account or self.audience.partition("projects/")[2].partition("/")[0]

    @property
    def account_path(self) -> str:
        """Path of the service account in the IAM Credentials API, without the method."""
        return f"{_IMPERSONATION[0]}{quote(self.service_account or '', safe='@')}"

    @property
    def pool_audience(self) -> str:
        """Audience of OIDC tokens for a provider without allowed audiences.

        See: Google Cloud, "Workload Identity Federation with other providers": allowed audiences.
        """
        return f"https:{self.audience}"

    def _full(self, audience: str) -> str:
        found = _matches(_PROVIDER, audience)
        if not found:
            raise _malformed("audience", audience, f"give {_SHAPE}.", "config/google-audience")
        if found[1] not in (None, self.universe_domain, _PUBLIC):
            raise _malformed(
                "audience",
                audience,
                f"it is of another universe than {self.universe_domain}: give a Federation with "
                f'universe_domain="{found[1]}", or a configuration file that says so.',
                "config/google-audience",
            )
        if not found[3].isdigit():
            raise _malformed(
                "audience",
                audience,
                "use the project's number instead of its id: gcloud projects describe "
                f"{found[3]} --format='value(projectNumber)'.",
                "config/google-audience",
            )
        return f"//iam.{self.universe_domain}/{found[2]}"


_SHAPE = (
    "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/"
    "PROVIDER"
)


@without_inner_frames  # the environment may hold keys
def configured(**arguments: Any) -> tuple[Federation, dict[str, Any]]:
    """Return the federation from arguments, environment and credential configuration file.

    Args:
        arguments: Fields of a `Federation`; None: from the environment or the file.

    Returns:
        The federation, and the content of the file: empty if no file was read.

    Raises:
        ConfigError: No audience is configured, or a setting is malformed.
    """
    environ = os.environ
    fields = {name: environ.get(variable) or None for name, variable in _VARIABLES.items()}
    fields |= {name: value for name, value in arguments.items() if value is not None}
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    document = {} if fields["audience"] or not path else read(path)
    if document:
        fields = {**of_document(document), **_without_none(fields)}
    if fields["audience"] is None:
        raise ConfigError(
            "No workload identity provider is configured: audience was not given, "
            "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE is not set, and GOOGLE_APPLICATION_CREDENTIALS names "
            "no credential configuration file.",
            fix=f"google.credentials({_SHAPE!r}), or set GCP_AWS_BRIDGE_GOOGLE_AUDIENCE.",
            error_id="config/google-none",
        )
    return Federation(**_without_none(fields)), document


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a credential configuration file.

    See: Google Cloud, "Application Default Credentials": `external_account`.

    Raises:
        ConfigError: The file cannot be read, or has another type.
    """
    problem = ""
    document: Any = None
    try:
        with open(path, "rb") as file:  # json detects UTF-8 and UTF-16 (PowerShell) by their BOM
            document = json.load(file)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        problem = "is not JSON"
    if not problem and not (isinstance(document, dict) and document.get("type") == _KIND):
        problem = f"is not a credential configuration of type {_KIND}"
    if problem:
        raise _unfit(path, problem)
    found: dict[str, Any] = document
    return found


def of_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Federation` in a credential configuration file.

    The file is trusted: its addresses and its `universe_domain` determine where tokens are sent.
    `Federation` checks the format of each value.

    Raises:
        ConfigError: The file has a setting that is not supported.
    """
    where = "GOOGLE_APPLICATION_CREDENTIALS"
    if "workforcePools" in str(document.get("audience")):
        raise _unfit(where, "is for a workforce pool, which is for people")
    if document.get("client_id"):
        raise _unfit(where, "has an OAuth client, which workloads do not need")
    fields = {
        "audience": document.get("audience"),
        "sts_url": document.get("token_url"),
        "universe_domain": document.get("universe_domain"),
    }
    if url := document.get("service_account_impersonation_url"):
        before, after = _IMPERSONATION
        iam_url, found, rest = str(url).partition(before)
        if not found or "/" in iam_url.partition("//")[2] or not rest.endswith(after):
            raise _unfit(where, f"impersonates at {quoted(url)}")
        fields |= {"iam_url": iam_url, "service_account": unquote(rest.removesuffix(after))}
        options = document.get("service_account_impersonation")
        if isinstance(options, Mapping):
            fields["lifetime_s"] = options.get("token_lifetime_seconds")
    return fields


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _matches(pattern: str, value: object) -> re.Match[str] | None:
    return re.fullmatch(pattern, value, re.ASCII) if isinstance(value, str) else None


def _malformed(
    what: str, value: object, fix: str, error_id: str = "config/google-setting"
) -> ConfigError:
    return ConfigError(f"The {what} {quoted(value)} is malformed.", fix=fix, error_id=error_id)


def _unfit(path: object, problem: str) -> ConfigError:
    return ConfigError(
        f"The credential configuration file {quoted(path)} {problem}.",
        fix="write one: gcp-aws-bridge google-config --audience PROVIDER --service-account EMAIL "
        "--output FILE; or set GCP_AWS_BRIDGE_GOOGLE_AUDIENCE instead.",
        error_id="config/google-file",
    )
