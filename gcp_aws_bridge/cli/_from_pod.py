"""`setup --from-pod`: remove a `credential_process` script or token sidecar from a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gcp_aws_bridge.cli._manifests import Manifests
from gcp_aws_bridge.cli._setup_files import read, say
from gcp_aws_bridge.exceptions import quoted
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
    text = read(path)
    manifests = Manifests(text, path, "setup")
    result = migrate(manifests.documents)
    if result.done:
        rewritten = manifests.text()
        put({Path(path).name: rewritten})
        lost = manifests.comments(text) - manifests.comments(rewritten)
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
