"""`gcp-aws-bridge explain`: explain an error id, offline."""

from __future__ import annotations

import argparse
import sys


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print the section of the reference for an error id, which is at the end of each error "
        "and of each finding of the doctor. Without an id, list all ids. Makes no requests."
    )
    parser.epilog = "exit status: 0 printed, 2 no such id"
    parser.add_argument("id", nargs="?", help="such as exchange/denied, with or without brackets")


def run(options: argparse.Namespace) -> int:
    """Print a section, or the list of all ids."""
    from gcp_aws_bridge.exceptions import RENAMED_IDS

    found = sections()
    if options.id is None:
        width = max(map(len, found))
        print("\n".join(f"{name:{width}}  {_first_line(found[name])}" for name in found))
        return 0
    wanted = options.id.strip(" []().,").lower()
    present = RENAMED_IDS.get(wanted, wanted)
    if present in found:
        title = present if present == wanted else f"{present} (formerly {wanted})"
        print(f"{title}\n\n{found[present]}", end="")
        return 0
    near = _similar(wanted, list(found))
    hint = f"Did you mean {', '.join(near)}?" if near else "`gcp-aws-bridge explain` lists all."
    print(f"gcp-aws-bridge explain: there is no error id {wanted!r}. {hint}", file=sys.stderr)
    return 2


def sections() -> dict[str, str]:
    """Return the text of each section, by error id."""
    import re
    from importlib.resources import files

    text = files("gcp_aws_bridge.cli").joinpath("explanations.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"\n### (\S+)\n\n", text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _first_line(section: str) -> str:
    """Return the first sentence, shortened to one line."""
    text = " ".join(section.split())
    sentence = text.partition(". ")[0].rstrip(".:")
    return sentence if len(sentence) <= 90 else f"{sentence[:87].rsplit(' ', 1)[0]} ..."


def _similar(wanted: str, ids: list[str]) -> list[str]:
    """Return ids that resemble *wanted*, or whose last word is *wanted*."""
    import difflib

    same = [name for name in ids if wanted and wanted in name.split("/")]
    return (same + [one for one in difflib.get_close_matches(wanted, ids) if one not in same])[:5]
