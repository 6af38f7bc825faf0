"""Credentials for commands that end at once, from a file that they share.

Light where the file has what is wanted; `_renewed` has the rest, and botocore with it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os

from gcp_aws_bridge._file_cache import NAME, FileCache, folders
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.cli import _role_options

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from hashlib import blake2b
    from typing import Any

    from gcp_aws_bridge._cache.clock import World
else:
    try:  # hashlib loads OpenSSL, a tenth of a warm answer; CPython's own random.py does as much
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

# What can change which credentials are asked for, of whom, and how. Whatever else begins so does no
# harm here: at worst two processes do not share.
_DECIDING = (
    *("AWS_", "BOTO", "CLOUDSDK_", "GCE_", "GCP_", "GOOGLE_"),
    *("APPDATA", "HOME", "REQUESTS_CA_BUNDLE", "USERPROFILE"),
)
# Secret, and no matter: the exchange does not use them.
_SECRET = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
_SECRET |= {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"}

_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which role, and where the file is."""
    _role_options.add_role(parser)
    _role_options.add_settings(parser)
    parser.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="keep credentials there between calls, readable by this user alone "
        "(default: GCP_AWS_BRIDGE_CACHE_DIR, else the user's own cache folder)",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="make an exchange at each call, keep nothing"
    )
    parser.add_argument(
        "--at-least",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="make an exchange if the credentials kept are valid for less; up to 90 %% of "
        "--duration-seconds (default: what is valid will do)",
    )


def credentials(options: argparse.Namespace, *, world: World | None = None) -> dict[str, str]:
    """The credentials of the role in *options*, in AWS's own words: `persistence.aws_json`.

    Raises:
        BridgeError: None are valid, and none were to be had.
    """
    cache = FileCache(*_folders(options), **_clocks(world))
    key = request_key(_role_options.given(options), os.environ)
    if not options.at_least and (found := _fresh(cache, key)) is not None:
        return found
    gc.disable()  # botocore makes much that lives to the end, and the end is near
    try:
        from gcp_aws_bridge._cache.clock import REAL
        from gcp_aws_bridge.cli._renewed import renewed

        return renewed(options, cache, key, world or REAL)
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
    """What the cache has, where nobody need look after it yet."""
    found = (cache.read_fresh(key) or {}).get("credentials")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in _FIELDS):
        return None
    return {name: found[name] for name in _FIELDS}


def request_key(settings: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """A name for all that decides which credentials these are, as a hexadecimal digest.

    Two processes that could get different ones never have the same: command line, environment,
    settings files, user, host and (in a container) the container, version of the library.
    """
    deciding = {
        name: value
        for name, value in environ.items()
        if (name.startswith(_DECIDING) or name.lower().endswith("_proxy")) and name not in _SECRET
    }
    home = os.path.expanduser("~")
    gcloud = environ.get("CLOUDSDK_CONFIG") or os.path.join(
        environ.get("APPDATA") or os.path.join(home, ".config"), "gcloud"
    )
    files = [
        environ.get("AWS_CONFIG_FILE") or os.path.join(home, ".aws", "config"),
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.join(home, ".aws", "credentials"),
        environ.get("GOOGLE_APPLICATION_CREDENTIALS") or "",
        os.path.join(gcloud, "application_default_credentials.json"),
        "/proc/self/ns/pid",  # a home that two containers share is no identity that they share
    ]
    request = [__version__, settings, deciding, _identities(files), _who()]
    return blake2b(json.dumps(request, sort_keys=True).encode(), digest_size=32).hexdigest()


def _identities(paths: Iterable[str]) -> list[list[int]]:
    """Of each file, what changes when it is another or has been written."""
    return [_identity(path) for path in paths]


def _identity(path: str) -> list[int]:
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return []
    written = 0 if path.startswith("/proc/") else seen.st_mtime_ns
    return [seen.st_dev, seen.st_ino, written, seen.st_size]


def _who() -> list[str]:
    if os.name == "nt":
        return [os.environ.get("COMPUTERNAME", ""), os.environ.get("USERNAME", "")]
    return [os.uname().nodename, str(os.geteuid())]


def _folders(options: argparse.Namespace) -> list[str]:
    if options.no_cache:
        return []
    asked_for = options.cache_dir or os.environ.get("GCP_AWS_BRIDGE_CACHE_DIR")
    return [os.path.join(asked_for, NAME)] if asked_for else folders(os.environ)
