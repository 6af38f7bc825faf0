"""The result of a diagnosis: findings, and which of them is the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gcp_aws_bridge.exceptions import BridgeError

State = Literal["ok", "note", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Result of one check. Holds no token and no key.

    Args:
        link: Name of the check.
        state: `note`: worth knowing, and not a fault; `warning`: works, but may be why another
            check fails; `skipped`: could not be checked, or did not need to be.
        seen: What was found, in whole sentences.
        wanted: What a working set-up has instead.
        fix: What to do: one command or instruction per line.
        id: Section of docs/reference/doctor.md or docs/reference/errors.md.
        explains: Ids of findings that this warning is the likely cause of.
    """

    link: str
    state: State
    seen: str
    wanted: str = ""
    fix: str = ""
    id: str = ""
    explains: tuple[str, ...] = ()

    @classmethod
    def of(cls, link: str, error: BridgeError) -> Finding:
        """Return the finding for an error of the library."""
        seen = str(error.args[0]) if error.args else type(error).__name__
        if error.details:
            seen = f"{seen} {error.details}"
        return cls(link, "broken", seen, fix=error.fix, id=error.error_id)


@dataclass(frozen=True)
class Report:
    """All findings, in the order of the checks."""

    findings: Sequence[Finding]

    @property
    def broken(self) -> Finding | None:
        """The first check that failed."""
        return next((one for one in self.findings if one.state == "broken"), None)

    @property
    def cause(self) -> Finding | None:
        """The finding to fix first: the warning that explains the first failure, else that failure.

        If nothing failed, the first warning; None if there is no warning either.
        """
        broken = self.broken
        warnings = [one for one in self.findings if one.state == "warning"]
        if broken is None:
            return next(iter(warnings), None)
        return next((one for one in warnings if broken.id in one.explains), broken)

    def as_json(self) -> dict[str, Any]:
        """Return plain values: `ok`, `cause` (a finding or None), `findings`."""
        return {
            "ok": self.broken is None,
            "cause": _plain(self.cause) if self.cause else None,
            "findings": [_plain(one) for one in self.findings],
        }


def _plain(finding: Finding) -> dict[str, Any]:
    plain = asdict(finding)
    del plain["explains"]  # only needed to choose the cause
    return plain
