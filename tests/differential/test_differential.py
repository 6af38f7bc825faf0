"""`policy/` beside the emulator; `python -m tests.differential` compares far more pairs."""

from __future__ import annotations

import pytest

from gcp_aws_bridge.emulator import assuming, conditions

from .compare import compared, compared_requests
from .pairs import Maker
from .requests import RequestMaker


def test_evaluators_agree_on_random_pairs() -> None:
    found = compared(3_000, seed=16)
    assert [] == found.disagreements
    # The pairs are worth comparing: there are many of each outcome.
    assert all(found.outcomes[each] > 200 for each in ("admitted", "refused", "malformed"))


def test_evaluators_agree_on_random_requests() -> None:
    found = compared_requests(1_500, seed=16)
    assert [] == found.disagreements
    assert all(found.outcomes[each] > 150 for each in ("admitted", "refused", "malformed"))


def test_seed_determines_the_pairs() -> None:
    assert RequestMaker(7).asked() == RequestMaker(7).asked()
    assert Maker(7).pair() == Maker(7).pair()
    assert Maker(7).pair() != Maker(8).pair()


def test_wrong_evaluator_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    right = conditions._Comparison.holds

    def wrong(self: conditions._Comparison, context: conditions.Context) -> bool:
        absent = not context.get(self.key) and self.qualifier == "ForAllValues"
        return not absent and right(self, context)

    monkeypatch.setattr(conditions._Comparison, "holds", wrong)
    assert compared(1_000, seed=16).disagreements
    assert compared_requests(1_000, seed=16).disagreements


def test_missing_further_action_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assuming, "_actions", lambda main, session, tagged: [main])
    assert compared_requests(500, seed=16).disagreements
