"""Benchmarks: `python -m tests.benchmarks` compares the library with what people use today.

Each measured program runs in its own process, by path, from `peers/`, and imports the *installed*
library, whatever the working directory. See docs/benchmarks.md.
"""
