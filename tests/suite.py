"""Pytest plugin that selects tests and the number of processes.

`pytest` runs a selection that covers each capability once. What it leaves out is marked:

- `exhaustive`: a test that takes long to try variations of what others cover.
- `sampled(n)`: of the test's parameter sets, one in *n* is in the selection.

Tests that are named on the command line run in full, in one process.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

import pytest

_SUITES = ("selection", "rest", "all")
_LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite",
        choices=_SUITES,
        help="selection: each capability once (the default); rest: what that leaves out; all "
        "(the default for tests that are named)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exhaustive: left out of the selection")
    config.addinivalue_line("markers", "sampled(n): one in n parameter sets is in the selection")
    config.stash[_LEFT_OUT] = 0
    if config.option.suite is None:  # worker processes get the value that is set here
        config.option.suite = "all" if _is_named(config) else "selection"
    if config.option.suite == "selection":
        os.environ.setdefault("HYPOTHESIS_PROFILE", "selection")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Return 0, which is this process alone, for tests that are named.

    For all tests, return one more than there are processors: a fifth of the time is waiting, for
    servers that start and stop, and for pauses between attempts.
    """
    if _is_named(config):
        return 0
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist's own setting
    affinity = getattr(os, "sched_getaffinity", None)
    return 1 + (len(affinity(0)) if affinity else os.cpu_count() or 1)


def examples(number: int) -> int:
    """Return how many examples hypothesis tries: a fifth of *number* in the selection."""
    return number // 5 if os.environ.get("HYPOTHESIS_PROFILE") == "selection" else number


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempt the thousands of tests from garbage collection, which would search them each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        with contextlib.suppress(ImportError):
            import hypothesis  # noqa: F401 - plugins of it look for what refers to their objects
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.option.suite
    if wanted == "all":
        return
    numbers: Counter[str] = Counter()
    chosen, left_out = [], []
    for item in items:
        test = item.nodeid.partition("[")[0]
        (
            chosen if _is_selected(item, numbers[test]) == (wanted == "selection") else left_out
        ).append(item)
        numbers[test] += 1
    items[:] = chosen
    config.stash[_LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left out"] = session.config.stash[_LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take the number from a worker process: each of them collects all tests."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left out", 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # below the summary of skipped tests
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    yield
    if (left_out := config.stash[_LEFT_OUT]) and config.option.suite == "selection":
        terminalreporter.write_line(
            f"{left_out:,} variations were left out; all tests: python3 -m pytest --suite=all"
        )


def _is_named(config: pytest.Config) -> bool:
    return config.args_source is pytest.Config.ArgsSource.ARGS


def _is_selected(item: pytest.Item, number: int) -> bool:
    """Return whether the selection has *item*, the test's parameter set of this *number*."""
    if item.get_closest_marker("exhaustive"):
        return False
    sampled = item.get_closest_marker("sampled")
    return sampled is None or number % sampled.args[0] == 0
