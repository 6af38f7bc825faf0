"""Environment variables and files that determine the identity and the addresses of servers.

They are part of the key of everything that equal requests share: credential caches, STS clients,
and the credentials that commands store in files. Variables that are not listed change neither the
identity nor an address. `tests/unit/tokens/test_environment.py` records all variables that are
read, and has the reasons for those that are not listed.

The module imports little: a command that answers from its file loads it, without botocore.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from hashlib import blake2b
    from typing import TypeVar

    Source = TypeVar("Source")
    Variables = tuple[tuple[str, str], ...]
else:
    try:  # hashlib loads OpenSSL, a tenth of the time of a cached answer; random.py does this too
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

_HOME = ("HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH")  # os.path.expanduser reads them
# Profile and files (AWS SDKs and Tools reference, "Shared config and credentials files").
PROFILE_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    *_HOME,
)
_CERTIFICATES = (
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),  # botocore and requests
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),  # OpenSSL
)
# Connection settings: certificates and, in `_is_proxy`, the variables for proxies. With
# REQUEST_METHOD (CGI), urllib ignores HTTP_PROXY.
_CONNECTION = (*_CERTIFICATES, "REQUEST_METHOD")
# Endpoint of STS and settings of botocore's client (AWS SDKs and Tools reference, "Settings
# reference"; botocore's modules `configprovider`, `loaders` and `plugin`).
_STS = (
    *(
        "AWS_DEFAULTS_MODE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ),
    *("AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
    *("AWS_DATA_PATH", "BOTOCORE_EXPERIMENTAL__PLUGINS"),
)
# Google's libraries. Prefixes, since releases of google-auth add variables; on Windows, APPDATA and
# the drive contain gcloud's folder.
_GOOGLE_PREFIXES = ("GOOGLE_", "GCE_", "CLOUDSDK_")
_GOOGLE = (
    *("NO_GCE_CHECK", "GCLOUD_PROJECT", "METADATA_SERVER_DETECTION"),
    *("APPDATA", "SystemDrive", "SYSTEMDRIVE"),
)
_PASSWORDS = ("NETRC", *_HOME)  # requests sends passwords for a host from .netrc
_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ALL = frozenset((*_REGION, *PROFILE_VARIABLES, *_CONNECTION, *_STS, *_GOOGLE, *_PASSWORDS))
# A relative path in these variables depends on the working directory.
_PATHS = frozenset(
    (
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DATA_PATH", *_CERTIFICATES),
        *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "NETRC", *_HOME),
    )
)


class EnvironmentBound:
    """Base class of this package's token sources, whose identity a session fixes."""

    def _bound(self) -> EnvironmentBound:
        """Return a copy that keeps the settings of the current environment."""
        raise NotImplementedError

    def _uses_google_auth(self) -> bool:
        return False


def all_variables(environ: Mapping[str, str]) -> Variables:
    """Return all variables that determine identities or addresses, sorted by name."""
    return _chosen(environ, lambda name: name in _ALL or name.startswith(_GOOGLE_PREFIXES))


def connection_variables(environ: Mapping[str, str]) -> Variables:
    """Return the variables for connections to a known address."""
    return _chosen(environ, lambda name: name in _CONNECTION)


def sts_variables(environ: Mapping[str, str]) -> Variables:
    """Return the variables for a botocore session's STS client, except profile and region."""
    return _chosen(environ, lambda name: name in _STS or name in _CONNECTION)


def google_variables(environ: Mapping[str, str]) -> Variables:
    """Return the variables that google-auth and requests read, except the credentials file."""
    return _chosen(
        environ,
        lambda name: (
            name in _CONNECTION
            or name in _PASSWORDS
            or (name.startswith("GOOGLE_") and name != "GOOGLE_APPLICATION_CREDENTIALS")
        ),
    )


def user() -> int | None:
    """Return the effective user id of this process; None on Windows."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def aws_files(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the paths of the AWS config file and the shared credentials file."""
    return (
        _expanded(environ.get("AWS_CONFIG_FILE") or os.path.join("~", ".aws", "config")),
        _expanded(
            environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.join("~", ".aws", "credentials")
        ),
    )


def credentials_file(environ: Mapping[str, str]) -> str | None:
    """Return the absolute path that GOOGLE_APPLICATION_CREDENTIALS names, or None."""
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    return absolute(path) if path else None


def gcloud_file(environ: Mapping[str, str]) -> str:
    """Return the path that `gcloud auth application-default login` writes to.

    See: Google Cloud, "How Application Default Credentials works", and google-auth's `_cloud_sdk`.
    """
    folder = environ.get("CLOUDSDK_CONFIG")
    if not folder and os.name == "nt":
        drive = environ.get("SystemDrive") or environ.get("SYSTEMDRIVE") or "C:"
        folder = os.path.join(environ.get("APPDATA") or os.path.join(drive, "\\"), "gcloud")
    folder = folder or os.path.join(os.path.expanduser("~"), ".config", "gcloud")
    return absolute(os.path.join(folder, "application_default_credentials.json"))


def file_identities(*paths: str) -> tuple[tuple[int, ...], ...]:
    """Return values that change when a file is replaced or written, for each of *paths*."""
    return tuple(map(_file_identity, paths))


def absolute(path: str) -> str:
    """Return the absolute *path*, which a later `os.chdir` does not change.

    Symbolic links are not resolved: Kubernetes replaces the link, not its target.
    """
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory has been removed, so no relative path exists
        return os.path.join(os.path.abspath(os.sep), f"removed working directory/{path}")


def bound(source: Source, **values: object) -> Source:
    """Return a copy of *source*, a frozen dataclass, with *values* in fields, private ones too."""
    made = object.__new__(type(source))
    vars(made).update(vars(source), **values)
    return made


def digest(*values: object) -> str:
    """Return a hexadecimal digest of *values*, which may contain secrets (a proxy's password).

    Args:
        values: Strings, numbers, None, and tuples and dicts of these; their `repr` is hashed.
    """
    return blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def changed(before: Variables, now: Variables) -> str:
    """Return the names of the variables that differ, without their values."""
    names = {name for name, _ in {*before} ^ {*now}}
    return ", ".join(sorted(name or "the working directory" for name in names))


def _chosen(environ: Mapping[str, str], decides: Callable[[str], bool]) -> Variables:
    found = sorted(
        # Another thread may remove a variable.
        (name, environ.get(name, ""))
        for name in environ
        if decides(name) or _is_proxy(name)
    )
    if any(name in _PATHS and value and not os.path.isabs(value) for name, value in found):
        found.append(("", absolute(".")))
    return tuple(found)


def _is_proxy(name: str) -> bool:
    """Return whether *name* is a variable for a proxy in urllib, botocore and requests.

    See: Python, `urllib.request.getproxies`. Names are case-insensitive.
    """
    return name[-6:].lower() == "_proxy"


def _expanded(path: str) -> str:
    return absolute(os.path.expanduser(os.path.expandvars(path)))  # like botocore's `configloader`


def _file_identity(path: str) -> tuple[int, ...]:
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return ()
    # Modification times in /proc are meaningless.
    written = 0 if path.startswith("/proc/") else seen.st_mtime_ns
    return (seen.st_dev, seen.st_ino, written, seen.st_size)
