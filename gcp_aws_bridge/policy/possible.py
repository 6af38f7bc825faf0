"""Search for a token that meets all conditions of a statement.

The conditions of a statement, and of the Deny statements that must not apply, restrict the values
of each claim. The search tries the forms that claims of the issuer's tokens have (`vocabulary`); if
it finds no value, the statement admits no token.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .claims import Identity, Value
from .conditions import Comparison, comparison
from .document import Condition
from .languages import (
    Language,
    Step,
    Undecided,
    of_pattern,
    of_text,
    one_of,
    sequence,
    shortest,
)
from .names import is_name
from .principals import GOOGLE
from .vocabulary import Form, Vocabulary

__all__ = ["Undecided", "Wanted", "token_for"]

_MOST_CHOICES = 256  # combinations of conditions by which no Deny statement applies

_DIGITS = [Step(frozenset(string.digits)), Step(frozenset(string.digits), skip=True, loop=True)]
_FRACTION: list[list[Step | str]] = [[], [".", *_DIGITS]]
_A_NUMBER = one_of(sequence(sign, *_DIGITS, *rest) for sign in ("", "-") for rest in _FRACTION)


class Wanted(NamedTuple):
    """A condition that must hold, or must not hold."""

    condition: Condition
    holds: bool = True


def token_for(
    issuer: str,
    tokens: Vocabulary,
    conditions: Sequence[Condition],
    denials: Iterable[Sequence[Condition]] = (),
) -> dict[str, Any] | None:
    """Return claims of a token of *issuer* that is admitted; None if there is none.

    Conditions that are not evaluated (keys of the request, policy variables) count as met.

    Args:
        issuer: URL of the issuer without the scheme.
        tokens: Claims of its tokens.
        conditions: Conditions of an Allow statement.
        denials: Conditions of each Deny statement that applies to the issuer's tokens.

    Raises:
        Undecided: The search would take too long.
    """
    wanted = [Wanted(one) for one in conditions]
    denied = [[Wanted(one, holds=False) for one in each] for each in denials]
    if math.prod(map(len, denied)) > _MOST_CHOICES:
        raise Undecided
    undecided = False
    for token, broken in itertools.product(tokens.tokens, itertools.product(*denied)):
        try:
            found = _texts(issuer, tokens, token, [*wanted, *broken])
        except Undecided:
            undecided = True
            continue
        if found is not None:
            return _claims(issuer, token, found)
    if undecided:
        raise Undecided
    return None


def _texts(
    issuer: str,
    tokens: Vocabulary,
    token: Mapping[str, tuple[str, Form]],
    wanted: Sequence[Wanted],
) -> dict[str, str] | None:
    """Return a value for each claim of one kind of token."""
    identity = _identity(issuer, tokens, token)
    prefix = f"{issuer.lower()}:"
    by_claim: dict[str, list[tuple[Comparison, bool]]] = {}
    for condition, holds in wanted:
        verdict, compare = comparison(condition, identity)
        if compare is None:
            if verdict[0] is not None and verdict[0] is not holds:
                return None
            continue
        claim = token[condition.key.lower().removeprefix(prefix)][0]
        by_claim.setdefault(claim, []).append((compare, holds is not compare.operator.negated))
    found: dict[str, str] = {}
    for claim, form in token.values():
        if claim in found:
            continue
        text = _text(form, by_claim.get(claim, []))
        if text is None:
            return None
        found[claim] = text
    return found


def _identity(issuer: str, tokens: Vocabulary, token: Mapping[str, tuple[str, Form]]) -> Identity:
    """Return a token of this kind whose values are not known yet."""
    prefix = issuer.lower()
    keys = {f"{prefix}:{key}": Value(("?",), claim) for key, (claim, _) in token.items()}
    unknown = Value((), "", "its value is not known")
    keys |= {f"{prefix}:{key}": unknown for key in tokens.open or ()}
    return Identity(issuer, keys, ())


def _text(form: Form, comparisons: Sequence[tuple[Comparison, bool]]) -> str | None:
    """Return a value of *form* for which every comparison has the wanted result.

    Raises:
        Undecided: There are comparisons of numbers and of strings, and no value was found.
    """
    numeric = [(one, inside) for one, inside in comparisons if one.kind == "Numeric"]
    texts = [(_language(one), inside) for one, inside in comparisons if one.kind == "String"]
    wanted = [form.language, *(language for language, inside in texts if inside)]
    unwanted = [language for language, inside in texts if not inside]
    shown = shortest(wanted, unwanted)
    if shown is None or not numeric:
        return shown
    listed = [one.values for one, inside in comparisons if inside and _is_list(one)]
    # A value that is not a number is not compared with numbers, and so not denied.
    other = shortest(wanted, [*unwanted, _A_NUMBER])
    candidates = {shown, *([] if other is None else [other]), *itertools.chain(*listed)}
    for text in (*sorted(candidates), *_numbers([one for one, _ in numeric])):
        fits = all(_outcome(one, text) in (inside, None) for one, inside in numeric)
        if fits and shortest([*wanted, of_text(text)], unwanted) is not None:
            return text
    if not listed and (texts or not form.rule):
        raise Undecided
    return None


def _is_list(compare: Comparison) -> bool:
    """Return whether only the listed values match."""
    return (compare.kind, compare.test) == ("String", "Equals")


def _language(compare: Comparison) -> Language:
    if compare.test == "Like":
        return one_of(map(of_pattern, compare.values))
    ignore_case = compare.test == "EqualsIgnoreCase"
    return one_of(of_text(value, ignore_case=ignore_case) for value in compare.values)


def _outcome(compare: Comparison, text: str) -> bool | None:
    """Return whether some value matches; None if one side is not a number."""
    try:
        return any([compare.matches(text, value) for value in compare.values])
    except ArithmeticError:
        return None


def _numbers(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """Yield integers around every compared value, and at both ends of the range."""
    values = [value for one in comparisons for value in one.values]
    whole = [int(value.partition(".")[0]) for value in values if is_name(r"-?\d+(\.\d+)?", value)]
    near = {number + step for number in whole for step in (-1, 0, 1)}
    for number in sorted({0, 10**17, 10**20 - 1, 10**24 - 1, *near}):
        if number >= 0:
            yield str(number)
            yield f"{number:018d}"


def _claims(
    issuer: str, token: Mapping[str, tuple[str, Form]], texts: Mapping[str, str]
) -> dict[str, Any]:
    claims: dict[str, Any] = {"iss": f"https://{issuer}", **texts}
    number = claims.pop("organization_number", None)
    if issuer == GOOGLE and number is not None:
        claims["google"] = {"organization_number": number}
    if issuer == GOOGLE and token["aud"] == token["sub"]:
        claims["azp"] = texts["sub"]
    return claims
