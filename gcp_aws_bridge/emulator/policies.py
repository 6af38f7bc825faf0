"""What every policy document has in common: JSON, Version, Statement, Sid, Effect and actions.

Written from the IAM user guide: "Grammar of the IAM JSON policy language" and "IAM JSON policy
elements: Sid". Messages are those that users of IAM and STS report. `trust` and `permissions` add
what the two kinds of policy differ in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .conditions import Condition, parse_conditions
from .operators import glob

__all__ = ["Actions", "PolicyError", "Statements", "listed", "read", "size", "texts"]

_VERSIONS = ("2012-10-17", "2008-10-17")


class PolicyError(ValueError):
    """A policy that IAM refuses; `code` is the error code of its API."""

    def __init__(self, message: str, code: str = "MalformedPolicyDocument") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of a document, and whether `${...}` is a policy variable in them."""

    raw: tuple[Mapping[str, Any], ...]
    variables: bool

    def conditions(self, statement: Mapping[str, Any]) -> tuple[Condition, ...]:
        """Read a statement's conditions.

        Raises:
            PolicyError: The Condition element is malformed.
        """
        try:
            return parse_conditions(statement.get("Condition", {}), variables=self.variables)
        except PolicyError:
            raise
        except ValueError as error:
            raise PolicyError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Actions:
    """The Action or the NotAction element of a statement."""

    patterns: tuple[re.Pattern[str], ...]
    all_but: bool

    @staticmethod
    def of(statement: Mapping[str, Any]) -> Actions:
        """Read the element. Action names have no case.

        Raises:
            PolicyError: There is none, there are both, or it is empty.
        """
        member = one_of(statement, "Action", "NotAction", "Policy statement must contain actions.")
        names = texts(statement[member], member)
        return Actions(tuple(glob(name.lower()) for name in names), member == "NotAction")

    def cover(self, action: str) -> bool:
        """Tell whether the statement is about this action."""
        named = any(pattern.fullmatch(action.lower()) for pattern in self.patterns)
        return named is not self.all_but


def read(
    document: Mapping[str, Any] | str,
    *,
    members: frozenset[str],
    prohibited: Mapping[str, str],
    sid: re.Pattern[str],
) -> Statements:
    """Read a document as far as both kinds of policy go.

    Args:
        document: The policy, as an object or as JSON text.
        members: The members that a statement may have.
        prohibited: Messages for members that IAM refuses in words of their own.
        sid: What a Sid may be.

    Raises:
        PolicyError: IAM refuses the document.
    """
    loaded = _loaded(document)
    if unknown := set(loaded) - {"Version", "Id", "Statement"}:
        raise PolicyError(f"Syntax errors in policy: it has no member {min(unknown)}.")
    version = loaded.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise PolicyError(f"The policy must contain a valid version string, not {version!r}.")
    raw = listed(loaded.get("Statement", []))
    if not raw:
        raise PolicyError("Could not parse the policy: Statement is empty!")
    seen: set[str] = set()
    for statement in raw:
        _check(statement, members, prohibited)
        name = statement.get("Sid", "")
        if not isinstance(name, str) or not sid.fullmatch(name):
            raise PolicyError(f"Statement IDs (SID) must match {sid.pattern}, unlike {name!r}.")
        if name and name in seen:
            # "the Sid value must be unique within a JSON policy"
            raise PolicyError("Statement IDs (SID) in a single policy must be unique.")
        seen.add(name)
    # "If you don't include the Version element ..., variables ... are treated as literal strings".
    return Statements(tuple(raw), version == _VERSIONS[0])


def _check(statement: object, members: frozenset[str], prohibited: Mapping[str, str]) -> None:
    if not isinstance(statement, Mapping):
        raise PolicyError("Syntax errors in policy: each Statement is a JSON object.")
    for member in statement:
        if member in prohibited:
            raise PolicyError(prohibited[member])
        if member not in members:
            raise PolicyError(f"Has prohibited field {member}.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"Invalid effect: {statement.get('Effect')}")


def _loaded(document: Mapping[str, Any] | str) -> Mapping[str, Any]:
    try:
        text = document if isinstance(document, str) else json.dumps(document, default=_plain)
        loaded = json.loads(text, object_pairs_hook=_each_once)
    except PolicyError:
        raise
    except (TypeError, ValueError, RecursionError):
        raise PolicyError("This policy contains invalid Json") from None
    if not isinstance(loaded, dict):
        raise PolicyError("Syntax errors in policy: it is a JSON object.")
    return loaded


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """ "Individual elements must not contain multiple instances of the same key"."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise PolicyError("Syntax errors in policy: an element has one key twice.")
    return found


def size(document: Mapping[str, Any] | str) -> int:
    """Return the number of characters that count towards a quota.

    "Policy size calculations do not include white space characters" (grammar notes).
    """
    text = json.dumps(_loaded(document), separators=(",", ":"), ensure_ascii=False)
    return len("".join(text.split()))


def one_of(statement: Mapping[str, Any], first: str, second: str, missing: str) -> str:
    """Return which of two members the statement has; it must be exactly one.

    Raises:
        PolicyError: It has both or none.
    """
    found = [member for member in (first, second) if member in statement]
    if len(found) == 2:
        raise PolicyError(f"Syntax errors in policy: {first} and {second} exclude each other.")
    if not found:
        raise PolicyError(missing)
    return found[0]


def texts(value: Any, member: str) -> list[str]:
    """Return a member that is one text or a list of texts.

    Raises:
        PolicyError: It is empty, or something else.
    """
    found = listed(value)
    if not found or not all(isinstance(item, str) and item for item in found):
        raise PolicyError(f"Syntax errors in policy: {member} is a text or a list of texts.")
    return found


def listed(value: Any) -> list[Any]:
    """Return a member that may be one item or a list of them."""
    return value if isinstance(value, list) else [value]
