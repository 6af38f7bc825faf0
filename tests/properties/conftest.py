"""Profiles of hypothesis: `quick` with all tests, `selection` with the selection, `thorough` if
time is given.

`HYPOTHESIS_PROFILE=thorough python -m pytest tests/properties` searches new examples.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The same examples in every run, so that a failure is due to a change.
settings.register_profile(
    "quick", max_examples=200, stateful_step_count=40, deadline=None, derandomize=True
)
# For the selection of tests that runs by default; see tests/suite.py.
settings.register_profile("selection", settings.get_profile("quick"), max_examples=40)
settings.register_profile(
    "thorough",
    max_examples=3000,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
