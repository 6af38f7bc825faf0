"""Reading the recipes that people have: what the script or sidecar asks for, as settings of ours.

Nothing is run. What is not plainly there is not guessed: a value that a shell would have to work
out is `None`, and who asked leaves the pod as it is.
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
# What a shell would expand to something that is not in the manifest.
_WORKED_OUT = re.compile(r"[`$*?\\]")
# Keys of a profile that mean nothing once the credentials are not from there, or that we carry.
_CONFIG_KEYS = {"credential_process", "region", "output"}


@dataclass(frozen=True)
class Setting:
    """A value, or the variable of the container that has it.

    Attributes:
        text: The value; the variable's name where *is_variable*.
        is_variable: Which of the two.
    """

    text: str
    is_variable: bool = False


def asks_metadata(text: str) -> bool:
    """Whether *text* is a script, or a command line, that gets an ID token from Google."""
    return (_IDENTITY_PATH in text and "identity" in text) or "print-identity-token" in text


def script(text: str) -> dict[str, Setting | None] | None:
    """What a `credential_process` script asks for; None where *text* is no such script.

    Returns:
        `role_arn`, `audience`, and where the script has them `role_session_name` and
        `duration_seconds`; a `None` in it is a value that only a shell could tell.
    """
    exchanges = re.search(r"assume-role-with-web-identity|AssumeRoleWithWebIdentity", text)
    if not (asks_metadata(text) and exchanges):
        return None
    named = dict(re.findall(rf"^\s*(?:export\s+)?({_NAME})={_VALUE}\s*$", text, re.M))
    found: dict[str, Setting | None] = {"role_arn": None, "audience": audience_of(text, named)}
    for name in ("role_arn", "role_session_name", "duration_seconds"):
        option = name.replace("_", "-")
        said = re.findall(rf"--{option}[=\s]+{_VALUE}", text)
        if said:
            found[name] = _setting(said[0], named) if len(set(said)) == 1 else None
    return found


def audience_of(text: str, named: Mapping[str, str] | None = None) -> Setting | None:
    """The audience in an address (`?audience=A`) or an option (`--audiences A`)."""
    said = set(re.findall(rf"""[?&"']audience=([^\s"'&;|)]+)|--audiences?[=\s]+{_VALUE}""", text))
    if len(said) != 1:
        return None
    return _setting("".join(said.pop()), named or {})


def _setting(word: str, named: Mapping[str, str]) -> Setting | None:
    """What a word of a shell stands for, through assignments of the same script."""
    for _ in range(len(named) + 1):
        plain = word.strip("\"'")
        variable = re.fullmatch(rf"\$(?:{{({_NAME})}}|({_NAME}))", plain)
        if variable is None or word.startswith("'"):
            return None if _WORKED_OUT.search(plain) or not plain else Setting(plain)
        name = variable[1] or variable[2]
        if name not in named:
            return Setting(name, is_variable=True)
        word = named[name]
    return None  # they go in a circle


@dataclass(frozen=True)
class AwsConfig:
    """An AWS config file whose one way to credentials is a `credential_process`.

    Attributes:
        profile: Its profile, `default` mostly.
        region: That profile's region; empty for none.
        more: What else the file says, which nobody would read any more.
    """

    profile: str
    region: str
    more: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, text: str) -> AwsConfig | None:
        """None where *text* is no such file."""
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
