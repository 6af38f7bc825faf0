"""`python -m tests.faults`: write docs/reference/faults.md."""

from __future__ import annotations

from pathlib import Path

from .page import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(PAGE)
