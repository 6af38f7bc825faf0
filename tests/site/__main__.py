"""`python -m tests.site`: write docs/reference/cli.md and what `gcp-aws-bridge explain` prints."""

from __future__ import annotations

from . import command_line, explanations

if __name__ == "__main__":
    for path, text in (
        (explanations.FILE, explanations.text()),
        (command_line.PAGE, command_line.text()),
    ):
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path)
