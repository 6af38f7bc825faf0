"""How hard hypothesis tries: `quick` with all tests, `selection` with the
selection of them, `thorough` where time is given.

`HYPOTHESIS_PROFILE=thorough python -m pytest tests/properties` looks for examples not seen before.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The same examples in every run: a failure is the change's, not chance's.
settings.register_profile(
    "quick", max_examples=200, stateful_step_count=40, deadline=None, derandomize=True
)
# For the selection of tests that runs by default, see tests/suite.py.
settings.register_profile("selection", settings.get_profile("quick"), max_examples=40)
settings.register_profile(
    "thorough",
    max_examples=3000,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
