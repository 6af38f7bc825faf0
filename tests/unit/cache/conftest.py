from __future__ import annotations

import pytest
from fakes import Fetches, ManualWorld


@pytest.fixture
def world() -> ManualWorld:
    return ManualWorld()


@pytest.fixture
def fetches(world: ManualWorld) -> Fetches:
    return Fetches(world)
