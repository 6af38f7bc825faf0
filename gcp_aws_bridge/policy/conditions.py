"""Evaluation of one condition for the keys of a token or of an AssumeRole request.

A condition holds, fails, or is not evaluated.
Sources: IAM user guide, "IAM JSON policy elements: Condition operators" and "Single-valued vs.
multivalued context keys". Not evaluated, if the key is present: operators on types that no such key
has (Binary, Bool, Date, IpAddress), policy variables, and keys that the token or the request does
not determine.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from gcp_aws_bridge.exceptions import quoted

from .authorized_party import why_it_differs
from .claims import Value
from .document import Condition, Statement
from .vocabulary import of_request

# True: holds; False: fails; None: not evaluated; and the reason.
Verdict = tuple["bool | None", str]

_WORDS = {True: "holds", False: "fails", None: "not evaluated"}
_QUALIFIERS = ("ForAllValues", "ForAnyValue")
_OTHER_TYPES = re.compile(
    r"Arn(Not)?(Equals|Like)|BinaryEquals|Bool|(Not)?IpAddress"
    r"|Date(Not)?Equals|Date(Less|Greater)Than(Equals)?"
)


class Keys(Protocol):
    """Condition keys of a token (`claims.Identity`) or of a request (`request.Caller`)."""

    @property
    def noun(self) -> str:
        """Noun for messages about the thing that has the keys."""

    @property
    def keys(self) -> Mapping[str, Value]:
        """Values by full name in lower case."""

    def look_up(self, key: str) -> Value:
        """Return the values of a key."""


class Operator(NamedTuple):
    """Parsed name of an operator. `base` is empty if IAM has no such operator."""

    qualifier: str
    base: str
    if_exists: bool

    @property
    def negated(self) -> bool:
        return "Not" in self.base


def matches(text: str, pattern: str) -> bool:
    """Return whether *text* matches *pattern*, with the wildcards `*` and `?`."""
    # Two cursors: a regular expression with many stars could take hours.
    here = there = 0  # in the text, in the pattern
    star = retry = -1
    while here < len(text):
        if there < len(pattern) and pattern[there] == "*":
            star, retry, there = there, here, there + 1
        elif there < len(pattern) and pattern[there] in ("?", text[here]):
            here, there = here + 1, there + 1
        elif star >= 0:  # extend the match of the last star
            retry += 1
            here, there = retry, star + 1
        else:
            return False
    return not pattern[there:].strip("*")


def _arn_matches(text: str, pattern: str) -> bool:
    """Compare the six parts of two ARNs: a wildcard does not match a colon."""
    texts, patterns = text.split(":", 5), pattern.split(":", 5)
    return len(texts) == len(patterns) == 6 and all(map(matches, texts, patterns))


def covers(statement: Statement, action: str) -> bool:
    """Return whether the statement applies to *action*, whose case does not matter."""
    named = any(matches(action.lower(), wanted.lower()) for wanted in statement.actions)
    return named is not statement.all_but


_STRING: dict[str, Callable[[str, str], bool]] = {
    "Equals": operator.eq,
    "EqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "Like": matches,
}
_ARN = dict.fromkeys(("Equals", "Like"), _arn_matches)
_NUMERIC: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def parse(name: str) -> Operator:
    """Parse the name of an operator."""
    qualifier, colon, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    known = _kind(base)[0] or _OTHER_TYPES.fullmatch(base) or name == "Null"
    if not known or (colon and qualifier not in _QUALIFIERS):
        return Operator("", "", False)
    return Operator(qualifier, base, rest != base)


class Comparison(NamedTuple):
    """Condition whose result depends on the value of one claim.

    Attributes:
        operator: The operator.
        kind: `String`, `Numeric` or `Arn`.
        test: The comparison without its `Not`, such as `EqualsIgnoreCase`.
        values: Alternatives with which the claim is compared.
    """

    operator: Operator
    kind: str
    test: str
    values: tuple[str, ...]

    def matches(self, text: str, value: str) -> bool:
        """Return whether *text* matches *value*, ignoring `Not`.

        Raises:
            ArithmeticError: One side of a numeric comparison is not a number.
        """
        if self.kind == "String":
            return _STRING[self.test](text, value)
        if self.kind == "Arn":
            return _ARN[self.test](text, value)
        return _NUMERIC[self.test](_number(text), _number(value))


def judge(condition: Condition, identity: Keys) -> Verdict:
    """Evaluate one condition for the bearer of a token, or for a request."""
    (holds, why), compare = comparison(condition, identity)
    if compare is not None:
        holds, why = _compared(compare, condition, identity)
    name = quoted(f"{condition.operator} {condition.key}")[1:-1]  # untrusted text
    return holds, f"{_WORDS[holds]}: {name}: {why}"


def comparison(condition: Condition, identity: Keys) -> tuple[Verdict, Comparison | None]:
    """Return the verdict, or the comparison that it depends on.

    The verdict depends only on the presence of a claim, not on its value.
    """
    parsed = parse(condition.operator)
    if not parsed.base:
        return (False, "IAM has no operator of this name, and rejects the policy"), None
    value = identity.look_up(condition.key)
    if value.unknown:
        return (None, value.unknown), None
    if parsed.base == "Null":
        return _null(condition, value, identity.noun), None
    if not value.texts:
        verdict = _absent(parsed, condition.key, identity.noun)
        # "If AWS cannot resolve a variable, this might cause the entire statement to be invalid".
        if not (verdict[0] and condition.has_variable):
            return verdict, None
    if condition.has_variable:
        return (None, "policy variables are not evaluated here"), None
    if _OTHER_TYPES.fullmatch(parsed.base) and not (value.is_arn and _kind(parsed.base)[0]):
        return (None, f"no such key of a {identity.noun} is of this operator's type"), None
    return (None, ""), Comparison(parsed, *_kind(parsed.base), condition.values)


def flag_of(condition: Condition) -> str:
    """Return the value of a `Null` condition: `true` or `false`; empty if it is another."""
    flags = {wanted.lower() for wanted in condition.values}
    return flags.pop() if flags in ({"true"}, {"false"}) else ""


def is_number(text: str) -> bool:
    """Return whether *text* is a number for the numeric operators."""
    return re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII) is not None


def _null(condition: Condition, value: Value, noun: str) -> Verdict:
    flag = flag_of(condition)
    if not flag:
        return None, 'Null takes "true" or "false"'
    there = bool(value.texts)
    return there is (flag == "false"), f"the {noun} {'has' if there else 'does not have'} it"


def _absent(parsed: Operator, key: str, noun: str) -> Verdict:
    # "If the key … is not present …, the values do not match and the condition is false. If the
    # policy condition requires that the key is not matched … the condition is true."
    why = f"the {'request' if of_request(key) else noun} has no such key"
    if parsed.qualifier == "ForAllValues":
        return True, f"{why}; ForAllValues holds for no values"
    if parsed.qualifier == "ForAnyValue":
        if parsed.if_exists:
            return None, f"{why}; IAM does not document whether ForAnyValue or IfExists applies"
        return False, f"{why}; ForAnyValue needs one"
    return parsed.if_exists or parsed.negated, why


def _compared(compare: Comparison, condition: Condition, identity: Keys) -> Verdict:
    value = identity.look_up(condition.key)
    qualifier, negated = compare.operator.qualifier, compare.operator.negated
    if len(value.texts) > 1 and not qualifier:
        several = f"the {identity.noun} has several {value.claim}"
        return None, f"{several}, but the operator is for one"
    try:
        # Lists, not generators, so that every value that is not a number is found.
        singles = [
            any([compare.matches(text, wanted) for wanted in compare.values]) is not negated
            for text in value.texts
        ]
    except ArithmeticError:
        return None, "one side is not a number"
    holds = any(singles) if qualifier == "ForAnyValue" else all(singles)
    seen = f"the {identity.noun}'s {value.claim} is {_shown(value.texts)}"
    if holds:
        return True, seen
    wanted = f"the policy requires {'other than ' * negated}{_shown(compare.values)}"
    return False, f"{seen}; {wanted}{_hint(condition, value, identity)}"


def _kind(base: str) -> tuple[str, str]:
    """Return the type, and the comparison without its `Not`; empty for types not evaluated."""
    for kind, tests in (("String", _STRING), ("Numeric", _NUMERIC), ("Arn", _ARN)):
        rest = base.removeprefix(kind)
        plain = rest.removeprefix("Not")
        negatable = kind != "Numeric" or plain == "Equals"
        if rest != base and plain in tests and (plain == rest or negatable):
            return kind, plain
    return "", ""


def _number(text: str) -> Decimal:
    # Exact: a float cannot distinguish neighbouring numbers of service accounts.
    if not is_number(text):
        raise ArithmeticError
    return Decimal(text)


def _hint(condition: Condition, value: Value, identity: Keys) -> str:
    """Return the likely mistake in a value of the policy, or the key where it belongs."""
    if {wanted.strip() for wanted in condition.values} & {*value.texts}:
        return ", with a space or a line break around it"
    if value.claim == "azp":
        whys = (why_it_differs(value.texts[0], wanted) for wanted in condition.values)
        if why := next(filter(None, whys), ""):
            return f": {why}"
    for key, other in identity.keys.items():
        if other.claim != value.claim and {*condition.values} & {*other.texts} - {*value.texts}:
            return f", which is its {other.claim}: AWS compares that as {key}"
    if value.claim == "sub" and any("@" in wanted for wanted in condition.values):
        return ": sub is the account's number, never its e-mail"
    return ""


def _shown(texts: tuple[str, ...]) -> str:
    return " or ".join(map(quoted, texts[:5])) + (" …" if len(texts) > 5 else "") or "nothing"
