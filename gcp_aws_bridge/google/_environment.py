"""Environment variables that determine the AWS identity, read once for each exchange.

Invariant: the values that are compared are the values that are used. An exchange reads the
environment once, and signs with the keys, profile, role or container token of that reading, even if
other code changes the environment meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import TokenError

_KEY_ID, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
_SESSION_TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")  # in botocore's order
# Variables for the profile, its files and their folder, and for files with keys (AWS SDKs and Tools
# reference, "Shared config files"; botocore, configprovider.py and credentials.py).
PROFILE = (
    *("AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_CREDENTIAL_FILE", "BOTO_CONFIG", "AWS_LOGIN_CACHE_DIRECTORY", "HOME", "USERPROFILE"),
)
_TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
# IAM roles for service accounts. Without a token file, the other two belong to other programs.
WEB_IDENTITY = (_TOKEN_FILE, "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME")
# AWS SDKs and Tools reference, "Container credential provider".
_URIS = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_AUTHORIZATION = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
_AUTHORIZATION_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
CONTAINER = (*_URIS, _AUTHORIZATION, _AUTHORIZATION_FILE)
# Addresses of the services that return keys.
ADDRESSES = (
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
)
# botocore reads the first; Lambda and EKS set the second (AWS SDKs and Tools reference).
_REGION = ("AWS_DEFAULT_REGION", "AWS_REGION")
_READ = (_KEY_ID, _SECRET, *_SESSION_TOKENS, *PROFILE, *WEB_IDENTITY, *CONTAINER, *ADDRESSES)
# Claims that change when the kubelet replaces a Kubernetes token (RFC 7519, section 4.1).
_ROTATING = frozenset({"exp", "iat", "nbf", "jti"})
_MAX_TOKEN = 64 * 1024  # bytes; a projected token has about one thousand


class AwsEnvironment:
    """A reading of the environment. Readings with the same AWS identity are equal.

    Shows no secret.

    Attributes:
        name: Values that determine the identity, without secrets: only the access key id, if there
            is one, since it takes precedence. An authorization token is included as a digest.
        keys: Access key id, secret key and session token; None: the environment has no keys.
    """

    __slots__ = ("_variables", "keys", "name")

    def __init__(self, environ: Mapping[str, str]) -> None:
        found = {each: environ[each] for each in (*_READ, *_REGION) if each in environ}
        self._variables = found
        key_id, secret = found.get(_KEY_ID), found.get(_SECRET)
        token = next((found[each] for each in _SESSION_TOKENS if found.get(each)), None)
        self.keys: tuple[str, str, str | None] | None = (
            (key_id, secret, token) if key_id and secret else None
        )
        self.name: tuple[tuple[str, str], ...] = (
            ((_KEY_ID, key_id),) if key_id else (*_places(found), *_container(found))
        )

    @classmethod
    @without_inner_frames  # the environment may hold keys
    def now(cls) -> AwsEnvironment:
        """Read the environment."""
        return cls(os.environ)

    def is_same(self, other: AwsEnvironment) -> bool:
        """Return whether both have the same identity.

        An authorization token that could not be read counts as the same: it was not used.
        """
        if self == other:
            return True
        if self.is_readable and other.is_readable:
            return False
        return self._without_token() == other._without_token()

    def _without_token(self) -> list[tuple[str, str]]:
        return [each for each in self.name if each[0] != _AUTHORIZATION]

    @property
    def is_readable(self) -> bool:
        """True if the authorization token, if there is one, could be read."""
        return (_AUTHORIZATION, "") not in self.name

    @property
    def region(self) -> str | None:
        """The region in the environment."""
        return next((self._variables[each] for each in _REGION if self._variables.get(each)), None)

    @property
    def profile(self) -> str | None:
        """The profile in the environment, as botocore reads it."""
        return _first(self._variables, "AWS_DEFAULT_PROFILE", "AWS_PROFILE")

    @property
    def files(self) -> tuple[str, str]:
        """Absolute paths of the config file and of the credentials file."""
        return _files(self._variables)

    @property
    def web_identity(self) -> dict[str, str]:
        """Role, session name and token file, by their names in a profile."""
        if not self._variables.get(_TOKEN_FILE):
            return {}
        names = ("web_identity_token_file", "role_arn", "role_session_name")
        found = self._variables
        return {
            name: found[variable]
            for name, variable in zip(names, WEB_IDENTITY, strict=True)
            if variable in found
        }

    def variables(self) -> Mapping[str, str]:
        """Return the variables for botocore's providers, instead of `os.environ`."""
        return _Variables(self._variables, dict(self.name).get(_AUTHORIZATION))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AwsEnvironment) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<AwsEnvironment {digest(self.name)}>"


class _Variables(Mapping[str, str]):
    """The variables of one reading. The authorization token is read from its file on each access.

    EKS replaces that file, so each access checks that the new token has the same identity.
    """

    def __init__(self, found: dict[str, str], token: str | None) -> None:
        path = found.get(_AUTHORIZATION_FILE)
        self._path = path
        self._token = token
        self._found = {name: value for name, value in found.items() if name != _AUTHORIZATION_FILE}
        if path is not None:
            self._found[_AUTHORIZATION] = ""

    def __getitem__(self, name: str) -> str:
        if name != _AUTHORIZATION or self._path is None:
            return self._found[name]
        text = _read(self._path)
        if _of_token(text) != self._token:
            raise changed()
        return text

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def changed(why: str = "", *, retryable: bool = False) -> TokenError:
    """Return the error for an environment that names another identity."""
    return TokenError(
        "The environment names another AWS identity than when these credentials were made"
        + (f": {why}." if why else "."),
        fix="make the credentials again; or pass session= to credentials that must not depend on "
        "AWS_PROFILE and similar variables.",
        error_id="token/aws-changed",
        retryable=retryable,
    )


def digest(value: object) -> str:
    """Return a short name of a value that does not reveal it."""
    return hashlib.sha256(repr(value).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _places(found: Mapping[str, str]) -> list[tuple[str, str]]:
    named = [*PROFILE, *ADDRESSES]
    if found.get(_TOKEN_FILE):
        named += WEB_IDENTITY
    values = [(each, found[each]) for each in named if each in found]
    return values + list(zip(("config file", "credentials file"), _files(found), strict=True))


def _container(found: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the values that identify the container and its credentials endpoint, if any."""
    if not any(each in found for each in _URIS):
        return []
    values = [(each, found[each]) for each in (*_URIS, _AUTHORIZATION_FILE) if each in found]
    if (path := found.get(_AUTHORIZATION_FILE)) is not None:
        try:
            values.append((_AUTHORIZATION, _of_token(_read(path))))
        except (OSError, ValueError):
            values.append((_AUTHORIZATION, ""))
    elif _AUTHORIZATION in found:
        values.append((_AUTHORIZATION, digest(found[_AUTHORIZATION])))
    return values


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(_MAX_TOKEN)


def _of_token(text: str) -> str:
    """Return a digest of the identity in an authorization token.

    For a Kubernetes token, which is replaced about once an hour, this is a digest of all claims
    except its times; for other tokens, of the whole text.
    """
    try:
        body = text.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        stable = {name: value for name, value in claims.items() if name not in _ROTATING}
        if isinstance(of_cluster := stable.get("kubernetes.io"), dict):
            of_cluster.pop("warnafter", None)
        if text.count(".") == 2 and claims.get("sub"):
            return digest(json.dumps(stable, sort_keys=True))
    except (AttributeError, IndexError, RecursionError, TypeError, ValueError):
        pass
    return digest(text)


def _first(found: Mapping[str, str], *names: str) -> str | None:
    return next((found[each] for each in names if each in found), None)


def _files(found: Mapping[str, str]) -> tuple[str, str]:
    config = found.get("AWS_CONFIG_FILE", "~/.aws/config")
    credentials = found.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    home = found.get("USERPROFILE") if os.name == "nt" else found.get("HOME")
    return _absolute(config, home), _absolute(credentials, home)


def _absolute(path: str, home: str | None) -> str:
    """Return the absolute path as botocore expands it, with `~` replaced by *home*."""
    path = os.path.expandvars(path)
    if home and (path == "~" or path.startswith(("~/", "~\\"))):
        path = home + path[1:]
    return os.path.abspath(os.path.expanduser(path))
