"""Which token source a machine has, and how a source comes to ask for the role's audience."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass, replace
from functools import partial
from pathlib import Path

from gcp_aws_bridge._metadata import MetadataServer
from gcp_aws_bridge._world import REAL, World
from gcp_aws_bridge.exceptions import ConfigError, TokenUnavailable

TokenSource = Callable[[], str]

_NONE = object()
_log = logging.getLogger("gcp_aws_bridge")


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
        google: TokenSource = partial(_google_token, self.audience)
        metadata = MetadataServer(self.audience, world=self.world)
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return [("GOOGLE_APPLICATION_CREDENTIALS", google), ("metadata server", metadata)]
        candidates: list[tuple[str, TokenSource]] = [("metadata server", metadata)]
        if _gcloud_file().exists():
            candidates.append(("gcloud application-default credentials", google))
        return candidates


def _google_token(audience: str | None) -> str:
    from gcp_aws_bridge._google_auth import GoogleCredentials  # only where it is used

    return GoogleCredentials(audience=audience)()


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

    A source with an `audience` field of a dataclass, as all of ours are, is given the role's; any
    other is taken as it is. What it returns is checked at the exchange either way.

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
    own = getattr(source, "audience", _NONE)
    if own is _NONE or not is_dataclass(source) or isinstance(source, type):
        return source
    if own not in (None, audience):
        raise ConfigError(
            f'The token source asks for the audience "{own}", the role for "{audience}".',
            fix="say the audience once, with the role (or session), and leave the source's out.",
            error_id="config/audience",
        )
    bound: TokenSource = replace(source, audience=audience)
    return bound
