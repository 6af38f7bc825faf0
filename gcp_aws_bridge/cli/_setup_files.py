"""The files that `setup` reads and writes."""

from __future__ import annotations

import os
import sys

from gcp_aws_bridge.exceptions import ConfigError, quoted


def read(path: str) -> str:
    """All of a text.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"The file {quoted(path)} cannot be read: {reason}.",
            fix="look at the path that is given.",
            error_id="config/setup-file",
        ) from None


def put(files: dict[str, str], folder: str | None) -> None:
    """Print *files*, or write them to *folder*, over nothing that is there and differs.

    Raises:
        ConfigError: Something is there, or it cannot be written; nothing was.
    """
    if folder is None:
        sys.stdout.write("".join(files.values()))
        return
    paths = {os.path.join(folder, name): text for name, text in files.items()}
    for path, text in paths.items():
        if os.path.exists(path) and read(path) != text:
            raise ConfigError(
                f"{quoted(path)} is there, and has something else in it.",
                fix="take it away, or give another --output.",
                error_id="config/setup-output",
            )
    try:
        os.makedirs(folder, exist_ok=True)
        for path, text in paths.items():
            if not os.path.exists(path):
                # "x": a link that was put there since the check above is not followed.
                with open(path, "x", encoding="utf-8", newline="\n") as file:
                    file.write(text)
            say(f"written: {path}")
    except OSError as error:
        raise ConfigError(
            f"Nothing can be written to {quoted(folder)}: {error.strerror}.",
            fix="give a folder that this user may write to.",
            error_id="config/setup-output",
        ) from None


def say(text: str) -> None:
    """To whoever looks on: what is written goes to standard output alone."""
    print(text, file=sys.stderr, flush=True)
