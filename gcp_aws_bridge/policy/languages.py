"""Texts that match several patterns at once: whether there is one, and the shortest of them.

A language is a choice of sequences of steps, as a non-deterministic automaton reads them. The
search walks the product of all automata; it is exact, and gives up past a bound.
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

_MOST_WORK = 400_000  # in states that a character is tried on: a fraction of a second
# Candidates for the characters that no pattern mentions.
_PRINTABLE = "x0X-." + "".join(map(chr, range(0x20, 0x7F)))


class Undecided(Exception):
    """The search gave up."""


class Step(NamedTuple):
    """One character of a text.

    Attributes:
        chars: Which it may be; None: any.
        skip: It may be missing.
        loop: It may occur again.
    """

    chars: frozenset[str] | None
    skip: bool = False
    loop: bool = False


Language = tuple[tuple[Step, ...], ...]
_States = frozenset[tuple[int, int]]

ANYTHING: Language = ((Step(None), Step(None, skip=True, loop=True)),)


def sequence(*parts: str | Step) -> Language:
    """Return the language of these parts, one after the other; a text stands for itself."""
    steps: list[Step] = []
    for part in parts:
        steps += [part] if isinstance(part, Step) else [Step(frozenset(char)) for char in part]
    return (tuple(steps),)


def of_text(text: str, *, ignore_case: bool = False) -> Language:
    """Return the language of *text* alone."""
    if not ignore_case:
        return sequence(text)
    return (tuple(Step(frozenset((char, char.lower(), char.upper()))) for char in text),)


def of_pattern(pattern: str) -> Language:
    """Return the language of a pattern in which `*` is any characters and `?` any one."""
    wild = {"*": Step(None, skip=True, loop=True), "?": Step(None)}
    return (tuple(wild.get(char) or Step(frozenset(char)) for char in pattern),)


def one_of(languages: Iterable[Language]) -> Language:
    """Return the union of *languages*."""
    return tuple(each for language in languages for each in language)


def shortest(wanted: Sequence[Language], unwanted: Sequence[Language]) -> str | None:
    """Return a shortest text that is in all of *wanted* and in none of *unwanted*.

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
    """Return the states after *char*; None where one of the first *wanted* has none left."""
    after: list[_States] = []
    for one, at in zip(languages, states, strict=True):
        after.append(_read(one, at, char))
        if not after[-1] and len(after) <= wanted:
            return None
    return tuple(after)


def _alphabet(languages: Sequence[Language]) -> list[str]:
    """Return one character for each way in which steps tell characters apart."""
    told = {step.chars for one in languages for steps in one for step in steps if step.chars}
    sets = list(told)
    found: dict[tuple[bool, ...], str] = {}
    for char in (*_PRINTABLE, *sorted(set().union(*sets))):
        found.setdefault(tuple(char in one for one in sets), char)
    return list(found.values())


def _closed(language: Language, states: set[tuple[int, int]]) -> _States:
    """Add the states that are reached by skipping steps."""
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
