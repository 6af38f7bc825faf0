"""How `serve` replaces its token for as long as it runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from fakes import ManualWorld

from gcp_aws_bridge.cli.serve import _rotate_until
from gcp_aws_bridge.server.authorization import Authorization


class Hours:
    """A stop event that comes after so many half seconds, of which each is *step_s* long."""

    def __init__(self, manual: ManualWorld, *, turns: int, step_s: float) -> None:
        self._manual, self._left, self._step_s = manual, turns, step_s

    def wait(self, _: float) -> bool:
        self._left -= 1
        self._manual.advance(self._step_s)
        return self._left < 0


def rotated(path: Path, *, turns: int, step_s: float) -> list[str]:
    """The tokens that were in the file, one after the other."""
    manual = ManualWorld()
    authorization = Authorization(str(path))
    seen = [authorization.token]
    hours: Any = Hours(manual, turns=turns, step_s=step_s)
    real = authorization.rotate

    def rotate() -> None:
        real()
        seen.append(path.read_text(encoding="utf-8"))

    authorization.rotate = rotate  # type: ignore[method-assign]
    stop: threading.Event = hours
    _rotate_until(stop, authorization, manual.world)
    return seen


def test_every_hour_there_is_another(tmp_path: Path) -> None:
    assert 1 + 3 == len(set(rotated(tmp_path / "token", turns=180, step_s=60)))
    assert 1 == len(set(rotated(tmp_path / "token", turns=59, step_s=60)))


def test_a_full_disk_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = iter([True, True, False])
    real = Authorization.rotate

    def rotate(self: Authorization) -> None:
        if self._taken and next(fails, False):
            from gcp_aws_bridge.exceptions import ConfigError

            raise ConfigError("No space left on device.", error_id="config/token-file")
        real(self)

    monkeypatch.setattr(Authorization, "rotate", rotate)
    assert 1 + 1 == len(set(rotated(tmp_path / "token", turns=62, step_s=60)))
