"""`setup --from-pod`: remove a `credential_process` script or token sidecar from a manifest."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge.cli._setup_files import read, say
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.provision.migrate import Migration, migrate

_IN_THE_CODE = (
    "In the image: pip install gcp-aws-bridge; remove bash, curl, jq and the AWS CLI. In the code: "
    "gcp_aws_bridge.install() before the first client, or start the program with gcp-aws-bridge "
    "run -- COMMAND; in another language, with gcp-aws-bridge exec -- COMMAND."
)


def run(path: str, put: Callable[[dict[str, str]], None]) -> int:
    """Rewrite the manifest *path*.

    Args:
        path: Path of the manifest.
        put: Function that writes files, by name.

    Returns:
        0 if the script or sidecar was found and completely removed, else 1.
    """
    with extra("setup", "ruamel.yaml", "0.18.0"):
        from ruamel.yaml import YAML

        yaml = YAML()  # round trip: keeps comments and unchanged parts
        yaml.preserve_quotes = True
        yaml.width = 1_000_000
        yaml.brace_single_entry_mapping_in_flow_sequence = True
    text = read(path)
    # Keep the indentation of lists: below their key, or two spaces further.
    under = re.search(r"^( *)[^\s#-][^\n]*:[^\n\S]*\n\1- ", text, re.M)
    yaml.indent(mapping=2, sequence=2 if under else 4, offset=0 if under else 2)
    result = migrate(_documents(yaml, text, path))
    if result.done:
        out = StringIO()
        yaml.dump_all(result.documents, out)
        put({Path(path).name: out.getvalue()})
        lost = _comments(yaml, text) - _comments(yaml, out.getvalue())
        result.left += [
            f"A comment was removed with the lines beside it: {quoted(one)}" for one in lost
        ]
    _report(result)
    return 0 if result.done and not result.left else 1


def _report(result: Migration) -> None:
    lines = [f"done: {line}" for line in result.done] + [f"left: {line}" for line in result.left]
    if result.done:
        lines.append(_IN_THE_CODE)
    elif not result.left:
        lines.append("The manifest has neither a credential_process script nor a token sidecar.")
    say("\n".join(lines))


def _documents(yaml: Any, text: str, path: str) -> list[Any]:
    from ruamel.yaml.error import YAMLError

    try:
        return list(yaml.load_all(text))
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"The manifest {quoted(path)} is not YAML{where}: "
            f"{quoted(getattr(error, 'problem', None) or error)}.",
            fix="pass a manifest that kubectl accepts; for a template (Helm), the rendered output.",
            error_id="config/setup-manifest",
        ) from None


def _comments(yaml: Any, text: str) -> set[str]:
    """Return the lines of a manifest that contain only a YAML comment.

    A line with "#" inside a block of text, such as the first line of a script, is not a comment.
    """
    from ruamel.yaml.tokens import ScalarToken

    lines = text.splitlines()
    inside: set[int] = set()
    for token in yaml.scan(text):
        if isinstance(token, ScalarToken):
            ends = token.end_mark.line + (token.style in ("'", '"'))
            inside.update(range(token.start_mark.line + 1, ends))
    found = {line.strip() for at, line in enumerate(lines) if at not in inside}
    return {line for line in found if line.startswith("#")}
