"""Command lines with which Python ignores PYTHONPATH, or imports no `sitecustomize`.

See: Python documentation, "Command line and environment".
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from collections.abc import Sequence

_PYTHON = re.compile(r"(python|pythonw|pypy)[0-9.]*t?(\.exe)?", re.IGNORECASE)
_ENV = re.compile(r"env(\.exe)?", re.IGNORECASE)
# Options of one letter, several of which may be one word: without a value; with one; the value.
_LETTERS = re.compile(r"-([^WXcm-]*)([WXcm]?)(.*)", re.DOTALL)
_PROGRAM = ("c", "m")  # after these, all arguments are the program's
_WITH_EFFECT = re.compile("[IES]")
_EFFECT = {
    "I": "ignores PYTHONPATH",
    "E": "ignores PYTHONPATH",
    "S": "imports no sitecustomize",
}
# Options of GNU env whose value is the next word, those without PYTHONPATH, and -S.
_ENV_WITH_VALUE = ("-u", "--unset", "-C", "--chdir", "-S", "--split-string")
_REMOVES = re.compile(
    r"-|-i|--ignore-environment|-u ?PYTHONPATH|--unset[= ]PYTHONPATH|PYTHONPATH=.*"
)
_SPLIT = re.compile(r"(?:-S|--split-string[= ])(.*)")
_LONGEST_LINE = 512  # bytes, twice as long as Linux reads


def why_not_installed(command: Sequence[str]) -> str | None:
    """Return why *command* starts Python without `install()`, and what to do, or None.

    Recognizes Python, a script that begins with "#!", and env with a program. It cannot see
    processes that the program starts.
    """
    found = _effect([*command])
    return found and (
        f"{found}, so this process is not installed. Start it without that, or call "
        "gcp_aws_bridge.install() in the program."
    )


def _effect(words: list[str], depth: int = 0) -> str | None:
    if not words or depth > 3:
        return None
    name = os.path.basename(words[0])
    if _PYTHON.fullmatch(name):
        return _of_python(name, words[1:])
    if _ENV.fullmatch(name):
        return _of_env(words[1:], depth)
    line = _first_line(words[0])
    return _effect([*line, *words], depth + 1) if line else None


def _of_python(name: str, arguments: list[str]) -> str | None:
    """Return the effect of options before the program, as Python parses them."""
    left = iter(arguments)
    for word in left:
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(left, None)
            continue
        letters = _LETTERS.match(word)
        if letters is None or word == "-":
            return None
        if found := _WITH_EFFECT.search(letters[1]):
            return f"{name} -{found[0]} {_EFFECT[found[0]]}"
        if letters[2] in _PROGRAM:
            return None
        if letters[2] and not letters[3]:
            next(left, None)
    return None


def _of_env(arguments: list[str], depth: int) -> str | None:
    """Return the effect of env's own options, or of the program after them."""
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in _ENV_WITH_VALUE and left:
            word = f"{word} {left.pop(0)}"
        if _REMOVES.fullmatch(word):
            return f"env {word} removes PYTHONPATH"
        if found := _SPLIT.fullmatch(word):
            left = [*found[1].split(), *left]
        elif not word.startswith("-") and "=" not in word:
            return _effect([word, *left], depth + 1)
    return None


def _first_line(path: str) -> list[str]:
    """Return the interpreter of a script and its argument, or nothing."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError:
        return []
    if not line.startswith(b"#!"):
        return []
    # Linux passes all that follows the interpreter as one argument.
    return os.fsdecode(line[2:]).strip().split(None, 1)
