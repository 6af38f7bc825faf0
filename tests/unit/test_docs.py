"""The pages agree with the code."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import gcp_aws_bridge
from gcp_aws_bridge import _settings
from gcp_aws_bridge.cli import _COMMANDS, _parser
from gcp_aws_bridge.exceptions import RENAMED_IDS
from gcp_aws_bridge.policy import claims as claims_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("[CS]*.md"))]
PACKAGE = Path(gcp_aws_bridge.__file__).parent
CODE = [path for path in sorted(PACKAGE.rglob("*.py")) if "emulator" not in path.parts]

pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="not in a source checkout")


def test_errors_page_has_exactly_the_error_ids() -> None:
    assert raised("config|token|exchange|demo") == sections("errors.md")


def test_doctor_page_has_exactly_the_ids_of_the_doctor() -> None:
    assert raised("doctor") == sections("doctor.md")


def raised(areas: str) -> list[str]:
    found = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(rf"^(?:{areas})/[a-z-]+$", node.value))
    return sorted(found - RENAMED_IDS.keys())


def sections(page: str) -> list[str]:
    text = (ROOT / "docs/reference" / page).read_text(encoding="utf-8")
    return sorted(re.findall(r"^### ([a-z]+/[a-z-]+)$", text, re.M))


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    deadline = ((_settings.METADATA_DEADLINE[0],), _settings.METADATA_DEADLINE[1])
    for variables, profile_key in (*_settings._SETTINGS.values(), deadline):
        for name in (*variables, profile_key):
            assert f"`{name}`" in page


# Not a prefix of names.
VARIABLE = (
    r"(?:AWS|BOTO|CLOUDSDK|CURL|GCE|GCLOUD|GCP|GOOGLE|HTTPS?|K|KUBERNETES|METADATA|NO|REQUESTS"
    r"|XDG)_[A-Z0-9_]*[A-Z]"
)
# Set only for programs that `setup --check` runs, or secret and left out of a digest.
UNDOCUMENTED = {"AWS_BEARER_TOKEN_BEDROCK", "AWS_PAGER", "CLOUDSDK_CORE_DISABLE_PROMPTS"}


def variables_in(path: Path) -> set[str]:
    """Return the environment variables that a module names in whole strings."""
    texts = (n.value for n in ast.walk(parsed(path)) if isinstance(n, ast.Constant))
    return {t for t in texts if isinstance(t, str) and re.fullmatch(VARIABLE, t)}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_variable_that_the_code_names_is_documented() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    named = set[str]().union(*map(variables_in, CODE)) - UNDOCUMENTED
    assert {"GCP_AWS_BRIDGE_CACHE_DIR", "K_SERVICE", "AWS_CA_BUNDLE"} <= named
    assert [] == sorted(name for name in named if f"`{name}`" not in page)


def test_every_module_is_on_the_architecture_page() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for path in PACKAGE.glob("*.py"):
        if not path.stem.startswith("__"):
            assert f"| `{path.stem}` |" in page


def test_every_public_name_is_documented() -> None:
    text = README + "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for name in gcp_aws_bridge.__all__:
        assert name in text


def test_page_has_exactly_the_condition_keys_of_google() -> None:
    claims = {"iss": "https://accounts.google.com", "aud": "a", "azp": "1", "sub": "1"}
    claims |= {"amr": "x", "google": {"organization_number": 1}}  # type: ignore[dict-item]
    page = (ROOT / "docs/reference/condition-keys.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `(accounts.*?)` \|", page, re.M)} == {*claims_of.read(claims).keys}


def test_every_promised_name_is_in_the_api_reference() -> None:
    page = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    promised = set(gcp_aws_bridge.__all__) - {"exceptions"}
    assert [] == sorted(n for n in promised if not re.search(rf":: {n}$", page, re.M))
    for module in ("aio", "emulator", "exceptions", "google", "policy", "testing"):
        assert f".. automodule:: gcp_aws_bridge.{module}\n   :members:\n" in page
    for path in (ROOT / "gcp_aws_bridge/adapters").glob("[!_]*.py"):
        section = page.partition(f".. py:module:: gcp_aws_bridge.adapters.{path.stem}\n")[2]
        listed = next(
            ast.literal_eval(node.value)
            for node in parsed(path).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        assert [] == [name for name in listed if f":: {name}\n" not in section]


def test_every_command_is_documented() -> None:
    text = README + "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for name, _ in _COMMANDS:
        assert f"gcp-aws-bridge {name}" in text


def test_freezers_find_every_command() -> None:
    # PyInstaller adds modules that a compiled module imports by name, executed or not.
    found = set()
    for node in ast.walk(parsed(PACKAGE / "cli/__init__.py")):
        if isinstance(node, ast.ImportFrom) and node.module == "gcp_aws_bridge.cli":
            found |= {alias.name for alias in node.names}
    assert {name.replace("-", "_") for name, _ in _COMMANDS} == found


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each `gcp-aws-bridge` command in the blocks of a page."""
    blocks = re.findall(r"```(?:sh|ini|bash|dockerfile)\n(.*?)```", text, re.S)
    joined = re.sub(r"\\\n", " ", "\n".join(blocks))
    alone = re.sub(r" (?:[|>]|\|\|) ", "\n", joined)  # pipes, and files of output
    lines = re.findall(r"gcp-aws-bridge ([a-z].*?)(?:\)\"?| &)?$", alone, re.M)
    return [shlex.split(line) for line in lines]


def test_commands_are_found() -> None:
    page = """```sh\neval "$(gcp-aws-bridge env --role-arn x)"\ngcp-aws-bridge token --watch &\n```
```sh\ngcp-aws-bridge token | gcp-aws-bridge trust-policy build \\\n  --token-file - > f\n```
```ini\ncredential_process = gcp-aws-bridge credential-process\n```"""
    found = [["env", "--role-arn", "x"], ["token", "--watch"], ["token"]]
    found += [["trust-policy", "build", "--token-file", "-"], ["credential-process"]]
    assert found == commands(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_the_pages_are_valid(page: Path) -> None:
    for arguments in commands(page.read_text(encoding="utf-8")):
        _parser(arguments).parse_args(arguments)


def test_first_shell_block_of_the_readme_has_the_two_commands() -> None:
    first = re.search(r"```(?:sh|shell|bash|console)\n(.*?)```", README, re.S)
    assert first is not None
    install_and_demo, install_and_test = first.group(1).strip().splitlines()
    assert install_and_demo.startswith("python3 -m pip install ")
    assert install_and_demo.endswith("-m gcp_aws_bridge demo")
    assert install_and_test.endswith("-m pytest")


def test_python_on_the_pages_compiles() -> None:
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            compile(block, str(page), "exec")


def test_links_between_pages_have_a_target() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_attack_on_the_security_page_names_a_test() -> None:
    page = (ROOT / "docs/explanation/security.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `(tests/\S+\.py)::(\w+)` \|$", page, re.MULTILINE)
    assert len(named) > 20
    for file, name in named:
        assert re.search(rf"def {name}\(", (ROOT / file).read_text(encoding="utf-8")), name


def test_no_placeholder_is_left() -> None:
    for page in PAGES:
        assert not re.search(r"@@|TODO|TBD|FIXME", page.read_text(encoding="utf-8")), page.name
