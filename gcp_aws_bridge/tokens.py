"""Token sources: where a Google ID token comes from.

A token source is any callable that takes nothing and returns a fresh ID token as a string:
`Callable[[], str]`. It does not cache; the library calls it once for each exchange. The classes
here are settings with a `__call__`: equal ones share credentials, they pickle, and their `repr`
holds no secret.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gcp_aws_bridge._metadata import MetadataServer
from gcp_aws_bridge._world import REAL, World
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable, quoted

__all__ = ["DefaultSource", "GoogleCredentials", "MetadataServer", "TokenFile", "TokenSource"]

TokenSource = Callable[[], str]

_log = logging.getLogger("gcp_aws_bridge")
_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
_MAX_FILE = 64 * 1024  # bytes; an ID token has about one thousand


@dataclass(frozen=True)
class TokenFile:
    """A token that something else keeps fresh in a file: a projected Kubernetes volume, say.

    Read anew at each call, since the kubelet replaces it. For clusters whose own OIDC issuer AWS
    trusts: project a `serviceAccountToken` whose `audience` is the role's.

    Raises:
        TokenUnavailable: There is no such file.
        TokenError: It cannot be read.
    """

    path: str | os.PathLike[str]

    def __call__(self) -> str:
        try:
            with open(self.path, encoding="ascii") as file:
                return file.read(_MAX_FILE).strip()
        except FileNotFoundError:
            raise TokenUnavailable(
                f"The token file {quoted(str(self.path))} does not exist.",
                fix="mount a projected serviceAccountToken volume there, or mend the path.",
                error_id="token/file-missing",
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not ASCII text"
            raise TokenError(
                f"The token file {quoted(str(self.path))} cannot be read: {reason}.",
                fix="let this process's user read it (securityContext.fsGroup in a pod).",
                error_id="token/file-unreadable",
            ) from None


@dataclass(frozen=True)
class GoogleCredentials:
    """ID tokens from anything that google-auth can load. Needs `gcp-aws-bridge[google]`.

    Args:
        credentials: google-auth credentials. None: *key_file*, else application-default ones.
        key_file: A service account's key file.
        impersonate: The e-mail of a service account to act as, which is what a developer's own
            login needs; the caller needs roles/iam.serviceAccountTokenCreator on it.
        audience: None for the role's.

    Raises:
        TokenUnavailable: No such credentials here, or not of a kind that gives ID tokens.
        TokenError: Google refused, or could not be reached.
    """

    credentials: Any = field(default=None, repr=False)
    key_file: str | None = None
    impersonate: str | None = None
    audience: str | None = None

    def __call__(self) -> str:
        from gcp_aws_bridge import _google_auth  # google-auth is heavy; only for who uses it

        return _google_auth.id_token(
            self.credentials,
            key_file=self.key_file,
            impersonate=self.impersonate,
            audience=self.audience or DEFAULT_AUDIENCE,
        )


@dataclass(frozen=True)
class DefaultSource:
    """Whatever this machine has: the environment decides which sources are tried, in this order.

    1. `GOOGLE_APPLICATION_CREDENTIALS`, where it is set;
    2. the metadata server;
    3. the credentials file of `gcloud auth application-default login`, where there is one.

    Raises:
        TokenUnavailable: None of them is here; the message says why of each.
        TokenError: One is here and broken, or was refused; later ones are not tried.
    """

    audience: str | None = None
    world: World = field(default=REAL, repr=False, compare=False)

    def __call__(self) -> str:
        said_no = []
        for name, source in self._candidates():
            try:
                token = source()
            except TokenUnavailable as error:  # noqa: PERF203 - three turns at most
                said_no.append(f"{name}: {error.args[0]}")
                _log.debug("no ID token from %s: %s", name, error.args[0])
            else:
                _log.debug("ID token from %s", name)
                return token
        raise TokenUnavailable(
            f"No Google identity on this machine. Tried {' Tried '.join(said_no)}",
            fix="run on Google Cloud with a service account, or pass token_source=: "
            'GoogleCredentials(impersonate="sa@project.iam.gserviceaccount.com") on a laptop.',
            error_id="token/none",
        )

    def _candidates(self) -> list[tuple[str, TokenSource]]:
        google: TokenSource = GoogleCredentials(audience=self.audience)
        metadata = MetadataServer(self.audience, world=self.world)
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return [("GOOGLE_APPLICATION_CREDENTIALS", google), ("metadata server", metadata)]
        candidates: list[tuple[str, TokenSource]] = [("metadata server", metadata)]
        if _gcloud_file().exists():
            candidates.append(("gcloud application-default credentials", google))
        return candidates


def _gcloud_file() -> Path:
    # Google Cloud, "How Application Default Credentials works": the well-known file.
    configured = os.environ.get("CLOUDSDK_CONFIG")
    if configured:
        folder = Path(configured)
    elif os.name == "nt":
        folder = Path(os.environ.get("APPDATA", "~")).expanduser() / "gcloud"
    else:
        folder = Path("~/.config/gcloud").expanduser()
    return folder / "application_default_credentials.json"


def for_audience(source: TokenSource | None, audience: str, world: World = REAL) -> TokenSource:
    """*source*, asking for *audience*; the default source where None is given.

    A source of the user's own is taken as it is; what it returns is checked at the exchange.

    Raises:
        ConfigError: The source is not callable, or names another audience itself.
    """
    if source is None:
        return DefaultSource(audience, world=world)
    if not callable(source):
        raise ConfigError(
            f"token_source is a {type(source).__name__}; it must be callable without arguments.",
            fix="pass a function that returns an ID token, or one of gcp_aws_bridge.tokens.",
            error_id="config/token-source",
        )
    if not isinstance(source, (DefaultSource, GoogleCredentials, MetadataServer)):
        return source
    if source.audience not in (None, audience):
        raise ConfigError(
            f'The token source asks for the audience "{source.audience}", the role for '
            f'"{audience}".',
            fix="say the audience once, with the role (or session), and leave the source's out.",
            error_id="config/audience",
        )
    return replace(source, audience=audience)
