"""`gcp-aws-bridge explain`: what an error id means and what to do, without a network."""

from __future__ import annotations

import argparse
import sys


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print the section of the reference for the id that an error or a finding of the doctor "
        "ends with. Without an id, print all ids with a line each. Needs no network."
    )
    parser.epilog = "exit status: 0 printed, 2 no such id"
    parser.add_argument("id", nargs="?", help="such as exchange/denied, with or without brackets")


def run(options: argparse.Namespace) -> int:
    """Print a section, or the list of all ids."""
    from gcp_aws_bridge.cli._explanations import SECTIONS

    if options.id is None:
        width = max(map(len, SECTIONS))
        print("\n".join(f"{name:{width}}  {_first_line(SECTIONS[name])}" for name in SECTIONS))
        return 0
    wanted = options.id.strip(" []().,").lower()
    if wanted in SECTIONS:
        print(f"{wanted}\n\n{SECTIONS[wanted]}", end="")
        return 0
    near = _near(wanted, list(SECTIONS))
    hint = f"Did you mean {', '.join(near)}?" if near else "`gcp-aws-bridge explain` lists all."
    print(f"gcp-aws-bridge explain: there is no error id {wanted!r}. {hint}", file=sys.stderr)
    return 2


def _first_line(section: str) -> str:
    """Return the first sentence, or as much of it as a line has room for."""
    text = " ".join(section.split())
    sentence = text.partition(". ")[0].rstrip(".:")
    return sentence if len(sentence) <= 90 else f"{sentence[:87].rsplit(' ', 1)[0]} ..."


def _near(wanted: str, ids: list[str]) -> list[str]:
    """Return ids that resemble *wanted*, or whose last word is *wanted*."""
    import difflib

    same = [name for name in ids if wanted and wanted in name.split("/")]
    return (same + [one for one in difflib.get_close_matches(wanted, ids) if one not in same])[:5]
