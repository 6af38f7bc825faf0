"""Parser of trust policies.

Sources: IAM user guide, "Grammar of the IAM JSON policy language", "IAM JSON policy elements
reference"; "IAM and AWS STS quotas" (role trust policy length: 2,048 characters, raised on request
to 8,192 at most; white space does not count).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from gcp_aws_bridge.exceptions import ConfigError, quoted

ACTION = "sts:AssumeRoleWithWebIdentity"
VERSION = "2012-10-17"
SIZE_QUOTA, SIZE_CEILING = 2048, 8192

_VERSIONS = (VERSION, "2008-10-17")
_KINDS = ("AWS", "Federated", "Service", "CanonicalUser")
_MEMBERS = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition")


class Condition(NamedTuple):
    """Condition on one key with one operator.

    Attributes:
        values: Alternatives.
        unquoted: Whether one of them was a number.
        variables: Whether IAM expands `${...}` in them as a policy variable.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    unquoted: bool = False
    variables: bool = True

    @property
    def has_variable(self) -> bool:
        """True if a value depends on the request."""
        return self.variables and any("${" in value for value in self.values)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        index: Position in the policy, from 0.
        principals: Kind and name of each; `("*", "*")` for all.
        excepted: Whether the principals are those of `NotPrincipal`.
        actions: Actions as written; case does not matter.
        all_but: Whether the actions are those of `NotAction`.
    """

    index: int
    sid: str
    allows: bool
    principals: tuple[tuple[str, str], ...]
    excepted: bool
    actions: tuple[str, ...]
    all_but: bool
    conditions: tuple[Condition, ...]


def load(document: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return the policy as plain JSON values, after checking its structure.

    Raises:
        ConfigError: It is not JSON, or not a trust policy.
    """
    try:
        text = document if isinstance(document, str) else json.dumps(document, default=_plain)
        loaded = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
        # Rejects lone surrogates and numbers such as 1e999.
        json.dumps(loaded, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        _refuse(f"it is not JSON ({quoted(error, 80)})")
    if not isinstance(loaded, dict):
        _refuse("it is JSON, but not an object")
    statements(loaded)
    return loaded


def statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return the statements of a policy from `load`."""
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        _refuse(f"it has {quoted(min(unknown))} besides Version, Id and Statement")
    if document.get("Version", VERSION) not in _VERSIONS:
        _refuse(f"its Version is {quoted(document['Version'])}; IAM expects {_VERSIONS[0]}")
    if not isinstance(document.get("Id", ""), str):
        _refuse("its Id is not a string")
    listed = document.get("Statement", [])
    listed = listed if isinstance(listed, list) else [listed]
    if not listed:
        _refuse("it has no Statement")
    # "If you don't set the Version to 2012-10-17 or later, variables like ${aws:username} are
    # treated as literal strings" (Access Analyzer policy check reference).
    variables = document.get("Version") == VERSION
    return tuple(_statement(index, raw, variables) for index, raw in enumerate(listed))


def size(document: Mapping[str, Any]) -> int:
    """Return the size as IAM counts it: in characters, without white space between values."""
    return len(json.dumps(document, separators=(",", ":")))


def _statement(index: int, raw: object, variables: bool) -> Statement:
    where = f"Statement[{index}]"
    if not isinstance(raw, dict):
        _refuse(f"{where} is not an object")
    if unknown := set(raw) - {*_MEMBERS}:
        _refuse(f"{where} has {quoted(min(unknown))}, which IAM prohibits in a trust policy")
    if raw.get("Effect") not in ("Allow", "Deny"):
        _refuse(f"Effect of {where} is {quoted(raw.get('Effect'))}; IAM expects Allow or Deny")
    if not isinstance(raw.get("Sid", ""), str):
        _refuse(f"Sid of {where} is not a string")
    principal, action = (
        _one_of(where, raw, name, f"Not{name}") for name in ("Principal", "Action")
    )
    return Statement(
        index=index,
        sid=raw.get("Sid", ""),
        allows=raw["Effect"] == "Allow",
        principals=_principals(f"{principal} of {where}", raw[principal]),
        excepted=principal == "NotPrincipal",
        actions=_texts(f"{action} of {where}", raw[action]),
        all_but=action == "NotAction",
        conditions=tuple(_conditions(f"Condition of {where}", raw.get("Condition", {}), variables)),
    )


def _one_of(where: str, raw: dict[str, Any], *names: str) -> str:
    found = [name for name in names if name in raw]
    if len(found) != 1:
        _refuse(f"{where} has {' and '.join(found) or 'no ' + names[0]}; it needs one")
    return found[0]


def _principals(where: str, raw: object) -> tuple[tuple[str, str], ...]:
    if raw == "*":
        return (("*", "*"),)
    if not isinstance(raw, dict) or not raw or not set(raw) <= {*_KINDS}:
        _refuse(f'{where} is neither "*" nor an object of {", ".join(_KINDS)}')
    return tuple(
        (kind, name) for kind, names in raw.items() for name in _texts(f"{kind} in {where}", names)
    )


def _texts(where: str, raw: object) -> tuple[str, ...]:
    listed = raw if isinstance(raw, list) else [raw]
    if not listed or not all(isinstance(one, str) and one for one in listed):
        _refuse(f"{where} is neither a string nor a list of strings")
    return tuple(listed)


def _conditions(where: str, raw: object, variables: bool) -> list[Condition]:
    if not isinstance(raw, dict):
        _refuse(f"{where} is not an object of operators")
    found = []
    for operator, keys in raw.items():
        if not isinstance(keys, dict) or not keys:
            _refuse(f"{quoted(operator)} in {where} is not an object of keys")
        for key, value in keys.items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(one, (str, int, float)) for one in values):
                _refuse(f"{quoted(key)} in {where} has a value that is not a string")
            unquoted = any(type(one) in (int, float) for one in values)
            texts = tuple(map(_text, values))
            found.append(Condition(operator, key, texts, unquoted, variables))
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)  # true, not True


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Python's parser keeps only the last of two members with one name, and would hide a condition.
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two members with the same name")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not a JSON value")


def _refuse(problem: str) -> NoReturn:
    raise ConfigError(
        f"This is not a valid trust policy: {problem}.",
        fix="pass only the policy document, as `aws iam get-role --query "
        "Role.AssumeRolePolicyDocument` prints it; `gcp-aws-bridge trust-policy build` writes one.",
        error_id="config/trust-policy",
    )
