"""`python -m tests.site`: write docs/reference/cli.md."""

from __future__ import annotations

from .command_line import PAGE, text

if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8", newline="\n")
    print(PAGE)
