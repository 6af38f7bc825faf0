"""Common parts of all policy documents: JSON, Version, Statement, Sid, Effect, actions, conditions.

Written from the IAM user guide: "Grammar of the IAM JSON policy language" and "IAM JSON policy
elements: Sid". Messages are those that users of IAM and STS report. `trust` and `permissions` have
the elements in which the two kinds of policy differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .conditions import Condition, Context, parse_conditions
from .operators import glob

__all__ = ["Actions", "PolicyError", "Statement", "listed", "read", "size", "texts"]

_VERSIONS = ("2012-10-17", "2008-10-17")


class PolicyError(ValueError):
    """An error for a policy that IAM rejects; `code` is IAM's error code."""

    def __init__(self, message: str, code: str = "MalformedPolicyDocument") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Actions:
    """The Action or NotAction element of a statement. Action names are case-insensitive."""

    names: tuple[str, ...]
    all_but: bool

    def cover(self, action: str) -> bool:
        """Return whether the statement applies to an action."""
        named = any(glob(name.lower()).fullmatch(action.lower()) for name in self.names)
        return named is not self.all_but


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as far as both kinds of policy have the same elements.

    Attributes:
        allows: Whether the effect is Allow, not Deny.
        actions: The Action or NotAction element.
        conditions: The conditions.
        variables: Whether `${...}` is a policy variable.
        raw: The statement as JSON.
    """

    allows: bool
    actions: Actions
    conditions: tuple[Condition, ...]
    variables: bool
    raw: Mapping[str, Any]

    def applies(self, action: str, context: Context) -> bool:
        """Return whether the statement covers the action and all conditions hold."""
        return self.actions.cover(action) and all(
            condition.holds(context) for condition in self.conditions
        )


def read(
    document: Mapping[str, Any] | str,
    *,
    members: frozenset[str],
    prohibited: Mapping[str, str],
    sid: re.Pattern[str],
) -> list[Statement]:
    """Read the parts of a document that both kinds of policy have.

    Args:
        document: The policy, as an object or as JSON text.
        members: Allowed members of a statement.
        prohibited: Messages for members that IAM rejects with a specific message.
        sid: Pattern of a valid Sid.

    Raises:
        PolicyError: IAM rejects the document.
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
    return [_statement(statement, version == _VERSIONS[0]) for statement in raw]


def _statement(raw: Mapping[str, Any], variables: bool) -> Statement:
    try:
        conditions = parse_conditions(raw.get("Condition", {}), variables=variables)
    except ValueError as error:
        raise PolicyError(str(error)) from None
    member = one_of(raw, "Action", "NotAction", "Policy statement must contain actions.")
    actions = Actions(tuple(texts(raw[member], member)), member == "NotAction")
    return Statement(raw["Effect"] == "Allow", actions, conditions, variables, raw)


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
        loaded = json.loads(text, object_pairs_hook=_unique_keys)
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


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """ "Individual elements must not contain multiple instances of the same key"."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise PolicyError("Syntax errors in policy: an element has a duplicate key.")
    return found


def size(document: Mapping[str, Any] | str) -> int:
    """Return the number of characters that count towards the quota.

    "Policy size calculations do not include white space characters" (grammar notes).
    """
    text = json.dumps(_loaded(document), separators=(",", ":"), ensure_ascii=False)
    return len("".join(text.split()))


def one_of(statement: Mapping[str, Any], first: str, second: str, missing: str) -> str:
    """Return which of two members a statement has. It must have exactly one.

    Raises:
        PolicyError: The statement has both members or neither.
    """
    found = [member for member in (first, second) if member in statement]
    if len(found) == 2:
        raise PolicyError(f"Syntax errors in policy: {first} and {second} exclude each other.")
    if not found:
        raise PolicyError(missing)
    return found[0]


def texts(value: Any, member: str) -> list[str]:
    """Return a member that is a string or a list of strings.

    Raises:
        PolicyError: The member is empty, or of another type.
    """
    found = listed(value)
    if not found or not all(isinstance(item, str) and item for item in found):
        raise PolicyError(f"Syntax errors in policy: {member} must be a string or a list of them.")
    return found


def listed(value: Any) -> list[Any]:
    """Return a member that may be a single item or a list."""
    return value if isinstance(value, list) else [value]
