"""Search for a string that matches several patterns.

A language is a set of alternative sequences of steps, read by a non-deterministic automaton. The
search traverses the product of all automata; it is exact, and stops at a bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = [
    "ANYTHING",
    "Language",
    "Step",
    "Undecided",
    "of_pattern",
    "of_text",
    "one_of",
    "sequence",
    "shortest",
]

_MOST_WORK = 400_000  # pairs of a state and a character; takes less than a second
# Candidates for characters that no pattern contains.
_PRINTABLE = "x0X-." + "".join(map(chr, range(0x20, 0x7F)))


class Undecided(Exception):
    """The search was stopped at its bound."""


class Step(NamedTuple):
    """One character of a string.

    Attributes:
        chars: Allowed characters; None: any.
        skip: Whether the character is optional.
        loop: Whether the character may be repeated.
    """

    chars: frozenset[str] | None
    skip: bool = False
    loop: bool = False


Language = tuple[tuple[Step, ...], ...]
_States = frozenset[tuple[int, int]]

ANYTHING: Language = ((Step(None), Step(None, skip=True, loop=True)),)


def sequence(*parts: str | Step) -> Language:
    """Return the language of the concatenated parts; a string matches itself."""
    steps: list[Step] = []
    for part in parts:
        steps += [part] if isinstance(part, Step) else [Step(frozenset(char)) for char in part]
    return (tuple(steps),)


def of_text(text: str, *, ignore_case: bool = False) -> Language:
    """Return the language that contains only *text*."""
    if not ignore_case:
        return sequence(text)
    return (tuple(Step(frozenset((char, char.lower(), char.upper()))) for char in text),)


def of_pattern(pattern: str) -> Language:
    """Return the language of a pattern with the wildcards `*` and `?`."""
    wild = {"*": Step(None, skip=True, loop=True), "?": Step(None)}
    return (tuple(wild.get(char) or Step(frozenset(char)) for char in pattern),)


def one_of(languages: Iterable[Language]) -> Language:
    """Return the union of *languages*."""
    return tuple(each for language in languages for each in language)


def shortest(wanted: Sequence[Language], unwanted: Sequence[Language]) -> str | None:
    """Return a shortest string that is in all of *wanted* and in none of *unwanted*.

    Raises:
        Undecided: The search took too long.
    """
    languages = [*wanted, *unwanted]
    alphabet = _alphabet(languages)
    start = tuple(_closed(one, {(n, 0) for n in range(len(one))}) for one in languages)
    queue, seen, work = deque([(start, "")]), {start}, 0
    while queue:
        states, text = queue.popleft()
        accepted = [_accepts(one, at) for one, at in zip(languages, states, strict=True)]
        if all(accepted[: len(wanted)]) and not any(accepted[len(wanted) :]):
            return text
        work += len(alphabet) * sum(map(len, states))
        for char in alphabet:
            after = _read_all(languages, states, char, len(wanted))
            if after is not None and after not in seen:
                seen.add(after)
                queue.append((after, text + char))
        if work > _MOST_WORK:
            raise Undecided
    return None


def _read_all(
    languages: Sequence[Language], states: Sequence[_States], char: str, wanted: int
) -> tuple[_States, ...] | None:
    """Return the states after *char*; None if one of the first *wanted* languages has none."""
    after: list[_States] = []
    for one, at in zip(languages, states, strict=True):
        after.append(_read(one, at, char))
        if not after[-1] and len(after) <= wanted:
            return None
    return tuple(after)


def _alphabet(languages: Sequence[Language]) -> list[str]:
    """Return one character for each class of characters that the steps distinguish."""
    sets = list({step.chars for one in languages for steps in one for step in steps if step.chars})
    found: dict[tuple[bool, ...], str] = {}
    for char in (*_PRINTABLE, *sorted(set().union(*sets))):
        found.setdefault(tuple(char in one for one in sets), char)
    return list(found.values())


def _closed(language: Language, states: set[tuple[int, int]]) -> _States:
    """Add the states that can be reached by skipping steps."""
    found = set(states)
    for number, place in states:
        steps = language[number]
        while place < len(steps) and steps[place].skip:
            place += 1
            found.add((number, place))
    return frozenset(found)


def _read(language: Language, states: _States, char: str) -> _States:
    after = set()
    for number, place in states:
        steps = language[number]
        if place < len(steps):
            step = steps[place]
            if step.chars is None or char in step.chars:
                after.add((number, place if step.loop else place + 1))
    return _closed(language, after)


def _accepts(language: Language, states: _States) -> bool:
    return any(place == len(language[number]) for number, place in states)
