"""Settings of an exchange without botocore: profile, region, endpoint and trusted certificates.

They are read only where the result is certainly that of `endpoint`; anything else is a
`NeedsBotocore`. `tests/unit/sts/test_direct_settings.py` compares both.

See: AWS SDKs and Tools reference, "Settings reference"; botocore's `configprovider`.
"""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

from gcp_aws_bridge._sts import config_files
from gcp_aws_bridge._tokens.environment import aws_files

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Mapping

# The regions of the partitions aws, aws-us-gov and aws-cn (botocore's endpoints.json).
_REGION = r"(us|eu|ap|sa|ca|me|af|il|mx|us-gov|cn)-[a-z]+-\d+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_CONFIGURED = rf"https?://{_LABEL}(?:\.{_LABEL})*(?::[1-9]\d{{0,3}}|:[1-5]\d{{4}})?/?"
_LOOPBACK = "http://127.0.0.1:"  # the usual address of an emulator
# Variables that select another endpoint, another format or hooks, or that log the keys of TLS.
_VARIABLES = (
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_DEFAULTS_MODE", "AWS_DATA_PATH"),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CSM_ENABLED", "BOTOCORE_EXPERIMENTAL__PLUGINS"),
    *("AWS_AUTH_SCHEME_PREFERENCE", "AWS_SIGV4A_SIGNING_REGION_SET", "SSLKEYLOGFILE"),
)
# Keys of a profile that are read here, or that do not concern an unsigned request to STS.
_KEYS = frozenset(
    {
        *("ca_bundle", "region", "sts_regional_endpoints"),
        *("aws_access_key_id", "aws_account_id", "aws_secret_access_key", "aws_session_token"),
        *("credential_process", "credential_source", "duration_seconds", "external_id"),
        *("max_attempts", "mfa_serial", "output", "retry_mode", "role_arn", "role_session_name"),
        *("s3", "source_profile", "web_identity_token_file"),
    }
)
_PREFIXES = ("cli_", "gcp_", "sso_")


class NeedsBotocore(Exception):
    """A setting for which botocore makes the exchange. Its message says which one."""


class DirectSettings(NamedTuple):
    """Settings of the environment and the profile.

    Attributes:
        profile: The settings of the profile.
        is_named: Whether the caller named the profile, so that the profile alone has the role.
        region: The configured region, or None.
    """

    profile: Mapping[str, str]
    is_named: bool
    region: str | None


def read(profile: str | None, region: str | None, environ: Mapping[str, str]) -> DirectSettings:
    """Return the settings for a profile and a region of a command line.

    Raises:
        NeedsBotocore: There may be a setting that only botocore reads.
    """
    for name in _VARIABLES:
        if name in environ:
            raise NeedsBotocore(f"{name} is set")
    if environ.get("AWS_STS_REGIONAL_ENDPOINTS", "regional") != "regional":
        raise NeedsBotocore("AWS_STS_REGIONAL_ENDPOINTS is set")
    if os.path.isdir(os.path.join(os.path.expanduser("~"), ".aws", "models")):
        raise NeedsBotocore("~/.aws/models may have other endpoints")
    found = _profile(profile, environ)
    if region is None:
        region = environ.get("AWS_DEFAULT_REGION", found.get("region"))
    return DirectSettings(found, profile is not None, region)


def _profile(name: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    if name is None:
        name = environ.get("AWS_DEFAULT_PROFILE", environ.get("AWS_PROFILE"))
    if "" in (name, environ.get("AWS_CONFIG_FILE"), environ.get("AWS_SHARED_CREDENTIALS_FILE")):
        raise NeedsBotocore("the name of the profile or of a file is empty")
    try:
        profiles = config_files.profiles(*aws_files(environ))
    except config_files.UnreadableFile as error:
        raise NeedsBotocore(f"the AWS config or credentials file is unusual: {error}") from None
    if name is not None and name not in profiles:
        raise NeedsBotocore("the profile is not found")
    return _checked(profiles.get(name or "default", {}))


def _checked(profile: config_files.Profile) -> dict[str, str]:
    settings: dict[str, str] = {}
    for key, value in profile.items():
        if key not in _KEYS and not key.startswith(_PREFIXES):
            raise NeedsBotocore("the profile has a setting that is not known to have no effect")
        if isinstance(value, str):
            settings[key] = value
        elif key != "s3":
            raise NeedsBotocore("the profile has nested settings")
    if settings.get("sts_regional_endpoints", "regional") != "regional":
        raise NeedsBotocore("sts_regional_endpoints is set")
    return settings


def endpoint(region: str, environ: Mapping[str, str]) -> str:
    """Return the URL of STS in *region*, without a slash at its end.

    Raises:
        NeedsBotocore: It may be another one, or a proxy may be on the way.
        ConfigError: It is plain HTTP to another machine.
    """
    if not re.fullmatch(_REGION, region, re.ASCII):
        raise NeedsBotocore("the region has another form than most")
    url = environ.get("AWS_ENDPOINT_URL_STS") or environ.get("AWS_ENDPOINT_URL") or ""
    if not url:
        url = f"https://sts.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    elif not re.fullmatch(_CONFIGURED, url, re.ASCII):
        raise NeedsBotocore("the endpoint of STS has another form than most")
    if url.startswith("https:"):
        _check_no_proxy(environ)
    elif not url.startswith(_LOOPBACK):
        from gcp_aws_bridge._tokens.https import require_https  # slow import, for a rare setting

        require_https(url)
    return url.rstrip("/")


def _check_no_proxy(environ: Mapping[str, str]) -> None:
    # Python, `urllib.request.getproxies`: the settings of these systems may name a proxy.
    if sys.platform in ("darwin", "win32"):
        raise NeedsBotocore("the settings of this system may name a proxy")
    if any(name.lower() == "https_proxy" and value for name, value in environ.items()):
        raise NeedsBotocore("HTTPS_PROXY is set")


def trusted(profile: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """Return the configured file of trusted certificates, or None for botocore's default.

    Raises:
        NeedsBotocore: Its name is empty, which is an error.
    """
    found = environ.get("AWS_CA_BUNDLE", profile.get("ca_bundle"))
    if found is None:
        found = environ.get("REQUESTS_CA_BUNDLE")
    if found is not None and not found.strip():
        raise NeedsBotocore("the file of trusted certificates has an empty name")
    return found
