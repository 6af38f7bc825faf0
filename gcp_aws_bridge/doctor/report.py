"""What a diagnosis says: findings, and which of them is the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gcp_aws_bridge.exceptions import BridgeError

State = Literal["ok", "note", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Finding:
    """What was found of one link. Holds no token and no key.

    Args:
        link: Its name, as in `chain.LINKS`.
        state: `note`: worth knowing, and no fault; `warning`: works, or may be why another link
            does not; `skipped`: could not, or need not, be looked at.
        seen: In whole sentences.
        wanted: What is there where all is well.
        fix: What to do, with the commands for it, a line each.
        id: Its section in docs/reference/doctor.md or docs/reference/errors.md.
        explains: Of a warning: ids of findings that it is the likely cause of.
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
    """All findings, in the order of the chain."""

    findings: Sequence[Finding]

    @property
    def broken(self) -> Finding | None:
        """The first broken link."""
        return next((one for one in self.findings if one.state == "broken"), None)

    @property
    def cause(self) -> Finding | None:
        """What to mend first: the warning that explains the broken link, else that link.

        Where nothing is broken, the first warning; None without any.
        """
        broken = self.broken
        warnings = [one for one in self.findings if one.state == "warning"]
        if broken is None:
            return next(iter(warnings), None)
        return next((one for one in warnings if broken.id in one.explains), broken)

    def as_json(self) -> dict[str, Any]:
        """Plain values: `ok`, `cause` (a finding or None), `findings`."""
        return {
            "ok": self.broken is None,
            "cause": _plain(self.cause) if self.cause else None,
            "findings": [_plain(one) for one in self.findings],
        }


def _plain(finding: Finding) -> dict[str, Any]:
    plain = asdict(finding)
    del plain["explains"]  # how the cause was found is no part of the answer
    return plain
