"""`python -m tests.doctor`: write the tables into docs/reference/doctor.md."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it, for the cases
    from .table import PAGE, page_with_tables

    text = page_with_tables(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    print(PAGE)
