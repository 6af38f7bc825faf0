"""The Common Expression Language as Google's IAM has it, by cel-python, imported when needed.

`extract` is that of "Attribute reference for IAM Conditions". cel-python finds unknown functions
and names only where they are evaluated; here they are refused when an expression is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["Expression", "NoValue", "cel", "extract"]

Expression = Callable[[Mapping[str, Any]], Any]
"""Takes values by name, returns one of Python's own types, or raises `NoValue`."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# The macros of CEL's language definition.
_MACROS = frozenset({"has", "all", "exists", "exists_one", "filter", "map"})
# cel-python keeps `google` for the names of protocol buffers.
_RENAMED = {"google": "google_attributes"}


class NoValue(Exception):
    """An expression has no value for a credential."""


def extract(text: str, template: str) -> str:
    """Return what stands in the place of the template's `{name}`; nothing where it does not fit.

    "Attribute reference for IAM Conditions", `extract()`: the first place where what comes before
    the braces is found, up to the first where what comes after them is.
    """
    place = _PLACEHOLDER.search(template)
    if place is None:
        return ""
    before, after = template[: place.start()], template[place.end() :]
    start = text.find(before)
    if start < 0:
        return ""
    start += len(before)
    end = text.find(after, start) if after else len(text)
    return text[start:end] if end >= 0 else ""


def cel(text: str, names: tuple[str, ...]) -> Expression:
    """Compile an expression.

    Args:
        text: In CEL.
        names: What it may speak of.

    Raises:
        ValueError: It does not compile, speaks of something else, or there is no cel-python.
    """
    try:
        import celpy
        from celpy import adapter, celparser, celtypes, evaluation
    except ModuleNotFoundError as error:
        raise ValueError(
            f"Evaluating {text!r} needs cel-python: pip install 'gcp-aws-bridge[emulator]'."
        ) from error
    functions = _functions(celtypes)
    environment = celpy.Environment(runner_class=celpy.InterpretedRunner)
    try:
        tree = environment.compile(text)
    except celparser.CELParseError as error:
        raise ValueError(f"{text!r} is not CEL: {error}") from None
    _check_names(tree, text, names, _MACROS | {*functions, *evaluation.base_functions})
    program = environment.program(tree, functions=functions)

    def value(given: Mapping[str, Any]) -> Any:
        try:
            context = {_RENAMED.get(name, name): adapter.json_to_cel(given[name]) for name in names}
            return _plain(program.evaluate(context), celtypes)
        except (evaluation.CELEvalError, ValueError) as error:  # a number that CEL cannot hold
            raise NoValue from error

    return value


def _functions(types: Any) -> dict[str, Callable[..., Any]]:
    """Return what Google has beyond CEL's own functions ("extract"; CEL's string extensions)."""

    def split(text: str, by: str) -> Any:
        return types.ListType([types.StringType(part) for part in text.split(by)])

    def join(items: list[str], by: str = "") -> Any:
        return types.StringType(by.join(items))

    return {
        "extract": lambda text, template: types.StringType(extract(text, template)),
        "join": join,
        "lowerAscii": lambda text: types.StringType(text.lower()),
        "replace": lambda text, old, new: types.StringType(text.replace(old, new)),
        "split": split,
        "upperAscii": lambda text: types.StringType(text.upper()),
    }


def _check_names(tree: Any, text: str, names: tuple[str, ...], functions: frozenset[str]) -> None:
    """Refuse names that nothing stands for; rename what cel-python keeps for itself."""
    own = set()
    for node in tree.iter_subtrees():
        called = _called(node)
        if called is not None and called not in functions:
            raise ValueError(f"{text!r}: there is no function {called}.")
        if node.data == "member_dot_arg" and called in _MACROS:
            own |= set(_idents(node.children[2].children[0]))
    for node in tree.iter_subtrees():
        if node.data != "ident":
            continue
        if node.children[0] not in own and node.children[0] not in names:
            raise ValueError(f"{text!r}: nothing is called {node.children[0]} here.")
        node.children[0] = node.children[0].update(value=_RENAMED.get(node.children[0]))


def _called(node: Any) -> str | None:
    position = {"ident_arg": 0, "dot_ident_arg": 0, "member_dot_arg": 1}.get(node.data)
    return None if position is None else str(node.children[position])


def _idents(tree: Any) -> Iterator[str]:
    for node in tree.iter_subtrees():
        if node.data == "ident":
            yield str(node.children[0])


def _plain(value: Any, types: Any) -> Any:
    """Return a CEL value as Python has it; its booleans are integers of a class of their own."""
    if isinstance(value, types.BoolType):
        return bool(value)
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return str(value) if isinstance(value, str) else value
