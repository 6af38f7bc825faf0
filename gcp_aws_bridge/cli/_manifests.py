"""YAML manifests that are read and written with their comments."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge.exceptions import ConfigError, quoted


class Manifests:
    """The documents of one manifest, which can be changed in place.

    Attributes:
        documents: Content of each document, as dicts and lists that keep its comments.
    """

    def __init__(self, text: str, name: str, needed_by: str) -> None:
        """Read *text*.

        Args:
            text: The manifest.
            name: Its name, for messages.
            needed_by: Extra that installs the YAML reader.

        Raises:
            ConfigError: The text is not YAML.
            MissingExtra: The YAML reader is not installed.
        """
        with extra(needed_by, "ruamel.yaml", "0.18.0"):
            from ruamel.yaml import YAML
            from ruamel.yaml.error import YAMLError

            self._yaml = YAML()  # round trip: keeps comments and unchanged parts
        self._yaml.preserve_quotes = True
        self._yaml.width = 1_000_000
        self._yaml.brace_single_entry_mapping_in_flow_sequence = True
        # Keep the indentation of lists: below their key, or two spaces further.
        under = re.search(r"^( *)[^\s#-][^\n]*:[^\n\S]*\n\1- ", text, re.M)
        self._yaml.indent(mapping=2, sequence=2 if under else 4, offset=0 if under else 2)
        try:
            self.documents = list(self._yaml.load_all(text))
        except (YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            raise ConfigError(
                f"The manifest {quoted(name)} is not YAML{where}: "
                f"{quoted(getattr(error, 'problem', None) or error)}.",
                fix="pass a manifest that kubectl accepts; for a template (Helm), the rendered "
                "output.",
                error_id="config/setup-manifest",
            ) from None

    def text(self) -> str:
        """Return the documents as YAML. Items added to a list get the style of the others."""
        for document in self.documents:
            _like_neighbors(document)
        text = self._written(self.documents)
        if list(self._yaml.load_all(text)) != self.documents:
            # ruamel.yaml writes some comments on the wrong line, where they change the content.
            # Write such documents without comments.
            text = self._written([_copied(one, lambda scalar: scalar) for one in self.documents])
        return text

    def _written(self, documents: list[Any]) -> str:
        out = StringIO()
        self._yaml.dump_all(documents, out)
        return out.getvalue()

    def comments(self, text: str) -> set[str]:
        """Return the lines of a manifest that contain only a YAML comment.

        A line with "#" inside a block of text, such as the first line of a script, is not a
        comment.
        """
        from ruamel.yaml.tokens import ScalarToken

        lines = text.splitlines()
        inside: set[int] = set()
        for token in self._yaml.scan(text):
            if isinstance(token, ScalarToken):
                ends = token.end_mark.line + (token.style in ("'", '"'))
                inside.update(range(token.start_mark.line + 1, ends))
        found = {line.strip() for at, line in enumerate(lines) if at not in inside}
        return {line for line in found if line.startswith("#")}


def separate(document: Any) -> bool:
    """Replace each alias (`*name`) with a copy, so that a change affects only one place.

    Returns:
        Whether the document has aliases.
    """
    seen: set[int] = set()
    shared: set[int] = set()
    _find_shared(document, seen, shared)
    if shared:
        _copy_shared(document, shared)
    return bool(shared)


def _find_shared(value: Any, seen: set[int], shared: set[int]) -> None:
    for _, one in _members(value):
        if id(one) in seen:
            shared.add(id(one))
        else:
            seen.add(id(one))
            _find_shared(one, seen, shared)


def _copy_shared(value: Any, shared: set[int]) -> None:
    for key, one in _members(value):
        if id(one) in shared:
            value[key] = copy.deepcopy(one)
            separate(value[key])  # the copy may have aliases of its own
        else:
            _copy_shared(one, shared)


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    items = [*(value.items() if isinstance(value, dict) else enumerate(value))]
    return ((key, one) for key, one in items if isinstance(one, (dict, list)))


def as_yaml(value: Any) -> Any:
    """Return a copy of *value* with quotes around text that kubectl would read as another type.

    ruamel.yaml writes YAML 1.2, in which `yes` and `12:30` are text. kubectl reads YAML 1.1.
    """
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    def quoted_if_other(scalar: Any) -> Any:
        is_other = isinstance(scalar, str) and re.fullmatch(
            "(?i)y|n|yes|no|on|off|[-+]?[0-9][0-9a-fxo_:.]*", scalar
        )
        return DoubleQuotedScalarString(scalar) if is_other else scalar

    return _copied(value, quoted_if_other)


def _like_neighbors(value: Any) -> None:
    """Give each dict that was added to a list of flow mappings (`{name: A}`) the flow style, too.

    ruamel.yaml 0.18 and 0.19 would write a block mapping on one line below an item with a comment.
    """
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        for one in value.values():
            _like_neighbors(one)
    if not isinstance(value, CommentedSeq):
        return
    flow = any(isinstance(one, CommentedMap) and one.fa.flow_style() for one in value)
    for index, one in enumerate(value):
        if flow and type(one) is dict:
            value[index] = CommentedMap(one)
            value[index].fa.set_flow_style()
        _like_neighbors(one)


def _copied(value: Any, copied_scalar: Callable[[Any], Any]) -> Any:
    """Return a copy of *value* of plain dicts and lists, which have no comments."""
    if isinstance(value, dict):
        return {key: _copied(one, copied_scalar) for key, one in value.items()}
    if isinstance(value, list):
        return [_copied(one, copied_scalar) for one in value]
    return copied_scalar(value)
