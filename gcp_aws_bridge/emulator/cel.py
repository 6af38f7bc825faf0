"""The Common Expression Language (CEL) of Google's IAM, evaluated by cel-python.

`extract` follows "Attribute reference for IAM Conditions". cel-python reports unknown functions and
names only when it evaluates them; this module rejects them when an expression is compiled.
cel-python is imported on first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["Expression", "NoValue", "cel", "extract"]

Expression = Callable[[Mapping[str, Any]], Any]
"""A function of values by name that returns a Python value, or raises `NoValue`."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# The macros of CEL's language definition.
_MACROS = frozenset({"has", "all", "exists", "exists_one", "filter", "map"})
# cel-python reserves `google` for the names of protocol buffers.
_RENAMED = {"google": "google_attributes"}


class NoValue(Exception):
    """Raised if an expression has no value for a credential."""


def extract(text: str, template: str) -> str:
    """Return the part of a text that matches `{name}` in a template; "" if there is no match.

    "Attribute reference for IAM Conditions", `extract()`: from the first occurrence of the text
    before the braces to the next occurrence of the text after them.
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
        text: The expression.
        names: Names of the variables in it.

    Raises:
        ValueError: The expression is invalid, has an unknown name, or cel-python is not installed.
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

    def value(values: Mapping[str, Any]) -> Any:
        try:
            context = {
                _RENAMED.get(name, name): adapter.json_to_cel(values[name]) for name in names
            }
            return _plain(program.evaluate(context), celtypes)
        except (evaluation.CELEvalError, ValueError) as error:  # ValueError: number too large
            raise NoValue from error

    return value


def _functions(types: Any) -> dict[str, Callable[..., Any]]:
    """Return Google's additional functions: `extract`, and CEL's string extensions."""

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
    """Reject unknown names; rename those that cel-python reserves."""
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
            raise ValueError(f"{text!r}: there is no variable {node.children[0]}.")
        node.children[0] = node.children[0].update(value=_RENAMED.get(node.children[0]))


def _called(node: Any) -> str | None:
    position = {"ident_arg": 0, "dot_ident_arg": 0, "member_dot_arg": 1}.get(node.data)
    return None if position is None else str(node.children[position])


def _idents(tree: Any) -> Iterator[str]:
    for node in tree.iter_subtrees():
        if node.data == "ident":
            yield str(node.children[0])


def _plain(value: Any, types: Any) -> Any:
    """Convert a CEL value to Python. The class of its booleans is a subclass of `int`."""
    if isinstance(value, types.BoolType):
        return bool(value)
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return str(value) if isinstance(value, str) else value
