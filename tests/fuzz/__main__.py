"""`python -m tests.fuzz TARGET [--seconds N]`: atheris, guided by coverage, on the answers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gcp_aws_bridge"]):
    from .answers import HTTP_SEEDS, METADATA_SEEDS, PARSER_SEEDS, STS_SEEDS, targets

SEEDS = {
    "http": HTTP_SEEDS,
    "metadata": METADATA_SEEDS,
    "parser": PARSER_SEEDS,
    "sts": STS_SEEDS,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=[*SEEDS])
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as corpus, targets() as by_name:
        for number, seed in enumerate(SEEDS[asked.target]):
            (Path(corpus) / f"{number}").write_bytes(seed)
        options = [f"-max_total_time={asked.seconds}", "-max_len=4096", "-timeout=30"]
        atheris.Setup([sys.argv[0], *options, corpus], by_name[asked.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
