"""The AWS config and credentials files, read as botocore reads them, without botocore.

The parser is the one that botocore uses, with the same options: Python's `RawConfigParser`. What
botocore makes of its result is repeated here: nested settings, `[profile NAME]` with quotes, and
the profiles of the credentials file. `tests/unit/sts/test_config_files.py` compares both.

See: AWS SDKs and Tools reference, "Shared config and credentials files"; botocore's `configloader`
and `Session.full_config`.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Mapping

    Profile = dict[str, str | dict[str, str]]

_PLAIN_NAME = r"profile[ \t]+([\w.@+-]+)"


class UnreadableFile(Exception):
    """botocore raises an error for the file, or may read it differently."""


def profiles(config_file: str, credentials_file: str) -> dict[str, Profile]:
    """Return the settings of each profile in both files, of which either may be missing.

    Raises:
        UnreadableFile: A file is malformed.
    """
    found: dict[str, Profile] = {}
    for section, settings in _sections(config_file).items():
        if section.startswith("profile"):
            if name := _profile_name(section):
                found[name] = settings
        elif section == "default":
            found[section] = settings
    for name, settings in _sections(credentials_file).items():
        found.setdefault(name, {}).update(settings)
    return found


def _sections(path: str) -> Mapping[str, Profile]:
    if not os.path.isfile(path):
        return {}
    import configparser  # most pods have no such file

    parser = configparser.RawConfigParser()
    try:
        parser.read([path])
        return {
            section: {name: _value(text) for name, text in parser.items(section)}
            for section in parser.sections()
        }
    except (configparser.Error, ValueError, AttributeError) as error:  # UnicodeDecodeError, too
        raise UnreadableFile(type(error).__name__) from None


def _value(text: str) -> str | dict[str, str]:
    """Return the text of a setting, or the settings that are nested in it."""
    if not text.startswith("\n"):
        return text
    pairs = (line.split("=", 1) for line in map(str.strip, text.splitlines()) if line)
    return {name.strip(): value.strip() for name, value in pairs}


def _profile_name(section: str) -> str:
    """Return the name in `[profile NAME]`, or "" if the section is no profile."""
    if plain := re.fullmatch(_PLAIN_NAME, section, re.ASCII):
        return plain[1]
    import shlex  # for quotes

    try:
        words = shlex.split(section)
    except ValueError:
        return ""
    return words[1] if len(words) == 2 else ""
