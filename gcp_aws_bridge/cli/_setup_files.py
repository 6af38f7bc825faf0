"""The files that `setup` reads and writes."""

from __future__ import annotations

import os
import sys

from gcp_aws_bridge.exceptions import ConfigError, quoted


def read(path: str) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"The file {quoted(path)} cannot be read: {reason}.",
            fix="correct the path.",
            error_id="config/setup-file",
        ) from None


def put(files: dict[str, str], folder: str | None) -> None:
    """Print *files*, or write them to *folder* without replacing other content.

    Args:
        files: Text by file name.
        folder: Where to write. None: standard output.

    Raises:
        ConfigError: A file exists with other content, or cannot be written. In the first case,
            nothing was written.
    """
    if folder is None:
        sys.stdout.write("".join(files.values()))
        return
    paths = {os.path.join(folder, name): text for name, text in files.items()}
    for path, text in paths.items():
        if os.path.exists(path) and read(path) != text:
            raise ConfigError(
                f"{quoted(path)} already exists with other content.",
                fix="remove it, or use another --output.",
                error_id="config/setup-output",
            )
    try:
        os.makedirs(folder, exist_ok=True)
        for path, text in paths.items():
            if not os.path.exists(path):
                # "x": do not follow a link that was created after the check above.
                with open(path, "x", encoding="utf-8", newline="\n") as file:
                    file.write(text)
            say(f"written: {path}")
    except OSError as error:
        raise ConfigError(
            f"Nothing can be written to {quoted(folder)}: {error.strerror}.",
            fix="use a folder that this user may write to.",
            error_id="config/setup-output",
        ) from None


def say(text: str) -> None:
    """Print a message to stderr: standard output is for the files."""
    print(text, file=sys.stderr, flush=True)
