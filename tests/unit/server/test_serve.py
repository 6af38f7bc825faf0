"""How `serve` replaces its token while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import ManualWorld

from gcp_aws_bridge.cli.serve import _rotation
from gcp_aws_bridge.server.authorization import Authorization


def rotated(path: Path, *, turns: int, step_s: float) -> list[str]:
    """Return the successive tokens in the file, if *turns* polls are *step_s* apart."""
    manual = ManualWorld()
    authorization = Authorization(str(path))
    seen = [authorization.token]
    real = authorization.rotate

    def rotate() -> None:
        real()
        seen.append(path.read_text(encoding="utf-8"))

    authorization.rotate = rotate  # type: ignore[method-assign]
    poll = _rotation(authorization, manual.world)
    for _ in range(turns):
        manual.advance(step_s)
        poll()
    return seen


def test_token_is_replaced_every_hour(tmp_path: Path) -> None:
    assert 1 + 3 == len(set(rotated(tmp_path / "token", turns=180, step_s=60)))
    assert 1 == len(set(rotated(tmp_path / "token", turns=59, step_s=60)))


def test_failed_rotation_is_retried_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter([True, True, False])
    real = Authorization.rotate

    def rotate(self: Authorization) -> None:
        if self._valid and next(fails, False):
            from gcp_aws_bridge.exceptions import ConfigError

            raise ConfigError("No space left on device.", error_id="config/token-file")
        real(self)

    monkeypatch.setattr(Authorization, "rotate", rotate)
    assert 1 + 1 == len(set(rotated(tmp_path / "token", turns=62, step_s=60)))
