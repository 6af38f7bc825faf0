"""Settings of existing scripts, sidecars and AWS config files, found without running them.

Values are not guessed: a value that only a shell can determine is `None`, and the caller then does
not change the pod.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["GTOKEN_AUDIENCE", "AwsConfig", "Setting", "asks_metadata", "audience_of", "script"]

# doitintl/gtoken, cmd/gtoken/internal/gcp/token.go, defaultAud; no flag of it changes that.
GTOKEN_AUDIENCE = "gtoken/sts/assume-role-with-web-identity"

_IDENTITY_PATH = "computeMetadata/v1/instance/service-accounts/"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VALUE = r"""("[^"\n]*"|'[^'\n]*'|[^\s"'&;|)]+)"""
# Characters that a shell would expand to values outside of the manifest.
_WORKED_OUT = re.compile(r"[`$*?\\]")
# Keys of a profile that are not needed without it, or that `migrate` keeps.
_CONFIG_KEYS = {"credential_process", "region", "output"}


@dataclass(frozen=True)
class Setting:
    """A value, or the name of a variable of the container.

    Attributes:
        text: The value or the name.
        is_variable: Whether *text* is the name of a variable.
    """

    text: str
    is_variable: bool = False


def asks_metadata(text: str) -> bool:
    """Return whether a script or command line gets an ID token from Google."""
    return (_IDENTITY_PATH in text and "identity" in text) or "print-identity-token" in text


def script(text: str) -> dict[str, Setting | None] | None:
    """Return the settings of a `credential_process` script; None if *text* is not such a script.

    Returns:
        `role_arn`, `audience`, and if the script has them `role_session_name` and
        `duration_seconds`. The value `None` can be determined only by a shell.
    """
    exchanges = re.search(r"assume-role-with-web-identity|AssumeRoleWithWebIdentity", text)
    if not (asks_metadata(text) and exchanges):
        return None
    named = dict(re.findall(rf"^\s*(?:export\s+)?({_NAME})={_VALUE}\s*$", text, re.M))
    found: dict[str, Setting | None] = {"role_arn": None, "audience": audience_of(text, named)}
    for name in ("role_arn", "role_session_name", "duration_seconds"):
        option = name.replace("_", "-")
        values = re.findall(rf"--{option}[=\s]+{_VALUE}", text)
        if values:
            found[name] = _setting(values[0], named) if len(set(values)) == 1 else None
    return found


def audience_of(text: str, named: Mapping[str, str] | None = None) -> Setting | None:
    """Return the audience in a URL (`?audience=A`) or an option (`--audiences A`)."""
    found = set(re.findall(rf"""[?&"']audience=([^\s"'&;|)]+)|--audiences?[=\s]+{_VALUE}""", text))
    if len(found) != 1:
        return None
    return _setting("".join(found.pop()), named or {})


def _setting(word: str, named: Mapping[str, str]) -> Setting | None:
    """Resolve a word of a shell through the assignments of the same script."""
    for _ in range(len(named) + 1):
        plain = word.strip("\"'")
        variable = re.fullmatch(rf"\$(?:{{({_NAME})}}|({_NAME}))", plain)
        if variable is None or word.startswith("'"):
            return None if _WORKED_OUT.search(plain) or not plain else Setting(plain)
        name = variable[1] or variable[2]
        if name not in named:
            return Setting(name, is_variable=True)
        word = named[name]
    return None  # circular assignments


@dataclass(frozen=True)
class AwsConfig:
    """AWS config file whose only source of credentials is a `credential_process`.

    Attributes:
        profile: Its profile, usually `default`.
        region: Region of the profile; empty for none.
        more: Other settings of the file, which would be lost.
    """

    profile: str
    region: str
    more: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, text: str) -> AwsConfig | None:
        """Parse *text*; return None if it is not such a file."""
        if not re.search(r"^\s*credential_process\s*=", text, re.M):
            return None
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:
            return None
        having = [name for name in parser.sections() if "credential_process" in parser[name]]
        more = [
            f"[{name}] {key}"
            for name in parser.sections()
            for key in parser[name]
            if key not in _CONFIG_KEYS
        ]
        more += [f"[{name}] credential_process" for name in having[1:]]
        if not having:
            return None
        profile = having[0].removeprefix("profile ").strip()
        return cls(profile, parser[having[0]].get("region", ""), tuple(more))
