"""`token --watch`: when the file is written again, and what happens when it cannot be."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import ManualWorld
from unit.servers import id_token

from gcp_aws_bridge.cli import token as command
from gcp_aws_bridge.exceptions import TokenError


class Watched:
    """A watch whose waits are written down, and end after so many."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self.manual = ManualWorld()
        self.waits: list[float] = []
        self.failing = False
        self.life_s = 3600
        monkeypatch.setattr("gcp_aws_bridge._tokens.default.for_audience", lambda *_: self._source)
        options = argparse.Namespace(
            audience=None, impersonate=None, id_token_file=None, file=str(file)
        )
        self.keeper = command._Keeper(options, self.manual.world)

    def _source(self) -> str:
        if self.failing:
            raise TokenError("The metadata server answered HTTP 403.", error_id="token/x")
        now = self.manual.now
        exp = int((now + timedelta(seconds=self.life_s)).timestamp())
        return id_token(now=now, exp=exp, jti=str(len(self.waits)))

    def watch(self, turns: int) -> None:
        def wait(seconds: float) -> bool:
            if len(self.waits) == turns:
                return True
            self.waits.append(seconds)
            self.manual.advance(seconds)
            return False

        self.keeper.watch(self.keeper.get(), wait)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(tmp_path / "token", monkeypatch)


def test_written_again_after_half_of_what_is_left(watched: Watched) -> None:
    watched.watch(2)
    assert [1800, 1800] == watched.waits


def test_a_cached_token_near_its_end_is_asked_for_again_within_a_minute(watched: Watched) -> None:
    watched.life_s = 80
    watched.watch(3)
    assert [60, 60, 60] == watched.waits


def test_a_failure_is_tried_again_soon_and_the_file_stays(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.file.write_text("before", encoding="utf-8")
    watched.failing = True
    with pytest.raises(TokenError):
        watched.watch(1)
    watched.failing = False
    token = watched.keeper.get()
    watched.failing = True
    turns = iter([False] * 4 + [True])
    watched.keeper.watch(token, lambda seconds: watched.waits.append(seconds) or next(turns))
    assert [1800, 1, 1, 1, 1] == watched.waits  # jitter is 0: the base pause
    assert "before" == watched.file.read_text(encoding="utf-8")
    assert "Next try in 1 s." in caplog.text


def test_a_file_that_cannot_be_written_is_tried_again(watched: Watched) -> None:
    watched.file.mkdir()
    watched.watch(3)
    assert [1800, 1, 1] == watched.waits
