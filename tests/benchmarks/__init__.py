"""The bench: `python -m tests.benchmarks` measures the library beside what people use today.

Everything measured runs in processes of its own, by path, from `peers/`: they import the library
that is *installed*, whatever directory this is started in. See docs/benchmarks.md.
"""
