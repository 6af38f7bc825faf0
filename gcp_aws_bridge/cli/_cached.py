"""Credentials for short-lived commands, from a file that they share.

Imports little, since the file usually has fresh credentials; `_exchange` has the rest.
"""

from __future__ import annotations

import argparse
import gc
import os

from gcp_aws_bridge._cache.file_cache import NAME, FileCache, folders
from gcp_aws_bridge._tokens.environment import (
    absolute,
    all_variables,
    aws_files,
    credentials_file,
    digest,
    file_identities,
    gcloud_file,
    user,
)
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.cli import _role_options

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gcp_aws_bridge._cache.clock import World

# The settings of a role (`_settings`), which a command does not resolve if the file has fresh
# credentials.
_ROLE_VARIABLES = ("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE")
_ROLE_PREFIXES = ("GCP_AWS_BRIDGE_", "GCP_OAUTH_AUD")

_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options for the role and the file."""
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    parser.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="folder for credentials between calls, readable by this user only "
        "(default: GCP_AWS_BRIDGE_CACHE_DIR, else the user's cache folder)",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="make an exchange at each call, and keep no credentials",
    )
    parser.add_argument(
        "--at-least",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="make an exchange if the kept credentials are valid for less; up to 90 %% of "
        "--duration-seconds (default: use them while they are valid)",
    )


def _seconds(text: str) -> float:
    value = float(text)  # argparse reports a ValueError
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, zero or more")
    return value


_seconds.__name__ = "number of seconds"


def credentials(options: argparse.Namespace, *, world: World | None = None) -> dict[str, str]:
    """Return the credentials of the role in *options*, as `persistence.aws_json` does.

    Raises:
        BridgeError: There are no valid credentials, and the exchange failed.
    """
    cache = FileCache(*_folders(options), **_clocks(world))
    key = request_key(_role_options.given(options), os.environ)
    if not options.at_least and (found := _fresh(cache, key)) is not None:
        return found
    gc.disable()  # botocore creates many objects, all of which live until the process ends
    try:
        from gcp_aws_bridge._cache.clock import REAL
        from gcp_aws_bridge.cli._exchange import exchange

        return exchange(options, cache, key, world or REAL)
    finally:
        gc.enable()


def _clocks(world: World | None) -> dict[str, Any]:
    if world is None:
        return {}
    now = world.clock
    return {
        "now": lambda: now().timestamp(),
        "monotonic": world.monotonic,
        "sleep": world.sleep,
    }


def _fresh(cache: FileCache, key: str) -> dict[str, str] | None:
    """Return cached credentials that need no refresh yet, or None."""
    found = (cache.read_fresh(key) or {}).get("credentials")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in _FIELDS):
        return None
    return {name: found[name] for name in _FIELDS}


def request_key(settings: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Return a hexadecimal digest of everything that determines the credentials.

    Processes that could get different credentials have different digests: command line,
    environment, settings files, user, host, container, version of the library.
    """
    role = sorted(
        item
        for item in environ.items()
        if item[0] in _ROLE_VARIABLES or item[0].startswith(_ROLE_PREFIXES)
    )
    files = file_identities(
        *aws_files(environ),
        credentials_file(environ) or "",
        gcloud_file(environ),
        "/proc/self/ns/pid",  # containers may share a home folder, but not an identity
    )
    given = sorted(settings.items())
    if (token_file := settings.get("id_token_file")) is not None:
        given.append(("", absolute(token_file)))
    return digest(__version__, given, role, all_variables(environ), files, _who())


def _who() -> tuple[object, ...]:
    if os.name == "nt":
        return os.environ.get("COMPUTERNAME", ""), os.environ.get("USERNAME", "")
    return os.uname().nodename, user()


def _folders(options: argparse.Namespace) -> list[str]:
    if options.no_cache:
        return []
    folder = options.cache_dir or os.environ.get("GCP_AWS_BRIDGE_CACHE_DIR")
    return [os.path.join(folder, NAME)] if folder else folders(os.environ)
