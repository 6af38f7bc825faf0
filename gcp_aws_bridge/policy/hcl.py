"""Writer of Terraform's language (HCL), formatted like `terraform fmt`.

Source: HashiCorp, "HCL native syntax specification" and "Strings and Templates".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Block", "Expression", "block", "function", "text", "value"]

Items = Iterable[tuple[str, Any]]


class Expression(str):
    """HCL that is written without quotes."""


class Block(list[tuple[str, Any]]):
    """Items of a nested block, which is written without `=`."""


def text(value: str) -> str:
    """Return *value* as a quoted template without interpolation.

    In "Strings and Templates", `${` and `%{` begin a template, and not all escapes of JSON are
    supported. The brace is escaped, because parsers disagree about `$${` and `%%{`.
    """
    plain = "".join(_ESCAPES.get(c) or (c if c.isprintable() else _by_number(c)) for c in value)
    return '"' + re.sub(r"(?<=[$%])\{", r"\\u007b", plain) + '"'


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _by_number(character: str) -> str:
    return f"\\U{ord(character):08x}" if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"


def block(kind: str, labels: str, items: Items) -> str:
    """Return a top-level block; *labels* are separated by spaces."""
    head = " ".join([kind, *(text(label) for label in labels.split())])
    body = _body(items, 1)
    return f"{head} {{\n{body}}}\n" if body else f"{head} {{}}\n"


def _body(items: Items, depth: int) -> str:
    """Return `name = value` lines; `=` of neighbouring one-line values is aligned."""
    items = [*items]
    lines = [(name, value(item, depth)) for name, item in items]
    indent = "  " * depth
    found = ""
    for index, (name, line) in enumerate(lines):
        if isinstance(items[index][1], Block):
            found += f"{chr(10) if index else ''}{indent}{name} {line}\n"
            continue
        width = len(name) if "\n" in line else max(len(n) for n in _neighbours(lines, index))
        found += f"{indent}{name:<{width}} = {line}\n"
    return found


def _neighbours(lines: list[tuple[str, str]], index: int) -> list[str]:
    """Return the names of the neighbouring one-line values around *index*."""
    first = last = index
    while first and "\n" not in lines[first - 1][1]:
        first -= 1
    while last + 1 < len(lines) and "\n" not in lines[last + 1][1]:
        last += 1
    return [name for name, _ in lines[first : last + 1]]


def value(item: Any, depth: int = 1) -> str:
    """Return a JSON value or an expression, indented by *depth* levels."""
    if isinstance(item, Expression):
        return str(item)
    if isinstance(item, Block):
        return f"{{\n{_body(item, depth + 1)}{'  ' * depth}}}"
    if isinstance(item, Mapping):
        if not item:
            return "{}"
        items = ((_key(key), one) for key, one in item.items())
        return f"{{\n{_body(items, depth + 1)}{'  ' * depth}}}"
    if isinstance(item, list):
        if all(isinstance(one, str) for one in item) and len(item) < 2:
            return f"[{', '.join(value(one, depth) for one in item)}]"
        inner = "  " * (depth + 1)
        lines = "".join(f"{inner}{value(one, depth + 1)},\n" for one in item)
        return f"[\n{lines}{'  ' * depth}]"
    return text(item) if isinstance(item, str) else json.dumps(item)


def function(name: str, argument: Any) -> Expression:
    """Return a function call with one argument."""
    return Expression(f"{name}({value(argument)})")


def _key(name: str) -> str:
    """Return *name* as a key, without quotes if it is an identifier and not a keyword."""
    bare = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in _WORDS
    return name if bare else text(name)


_WORDS = ("false", "for", "null", "true")
