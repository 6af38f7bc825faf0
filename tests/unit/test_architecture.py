"""The rules of docs/architecture.md: which part imports which, and where the clock is read.

Each rule is a function of source text, so that a test can show that it finds violations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import gcp_aws_bridge

PACKAGE = Path(gcp_aws_bridge.__file__).parent
NAME = "gcp_aws_bridge"
PAGE = Path(__file__).parents[2] / "docs/architecture.md"

SOURCES = {
    ".".join((NAME, *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Each part may import the parts that are listed before it, and no other part.
PIPELINE = ("_cache", "_tokens", "_sts", "_botocore")
# Below all parts: these modules import only each other.
BASE = ("_version", "exceptions", "_extra", "_value", "_traceback", "config", "_settings")
PUBLIC = ("tokens", "aio")


def part(*names: str) -> list[str]:
    """Return the modules of these packages, or these modules of the root."""
    roots = tuple(f"{NAME}.{name}" for name in names)
    return [one for one in SOURCES if one in roots or one.startswith(tuple(f"{r}." for r in roots))]


CORE = part(*BASE, *PIPELINE, *PUBLIC)
POLICY, ADAPTERS, SERVER = part("policy"), part("adapters"), part("server")
DOCTOR, PROVISION, CLI = part("doctor"), part("provision"), part("cli")
INJECT, WEBHOOK = part("inject"), part("webhook")
GOOGLE, EMULATOR, TESTING = part("google"), part("emulator"), part("testing")


parsed = cache(ast.parse)


def test_every_module_belongs_to_a_part() -> None:
    parts = (CORE, POLICY, ADAPTERS, SERVER, DOCTOR, PROVISION, INJECT, WEBHOOK, CLI)
    parts += (GOOGLE, EMULATOR, TESTING)
    assert all(len(modules) > 1 for modules in parts)
    assert sorted(SOURCES) == sorted([NAME, f"{NAME}.__main__", *chain(*parts)])


def test_root_has_few_private_modules() -> None:
    private = [one for one in BASE if one.startswith("_")]
    assert len(private) <= 5


# -- imports -----------------------------------------------------------------------------------


def imported(source: str, package: str = NAME) -> set[str]:
    """Return every module of ours that *source* imports, in functions and for types too."""
    found = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whence = node.module or ""
            if node.level:
                parent = package.rsplit(".", node.level - 1)[0]
                whence = f"{parent}.{whence}".rstrip(".")
            for alias in node.names:
                inner = f"{whence}.{alias.name}"
                found.add(inner if inner in SOURCES else whence)
    return {name for name in found if name == NAME or name.startswith(f"{NAME}.")}


def imports_of(name: str) -> set[str]:
    is_package = (PACKAGE.parent / name.replace(".", "/")).is_dir()
    return imported(SOURCES[name], name if is_package else name.rpartition(".")[0])


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import gcp_aws_bridge._sts.client", {"_sts.client"}),
        ("import gcp_aws_bridge._sts.client as x, os", {"_sts.client"}),
        ("from gcp_aws_bridge import _sts, config", {"_sts", "config"}),
        ("from gcp_aws_bridge._sts import client", {"_sts.client"}),
        ("from gcp_aws_bridge._sts.client import Sts", {"_sts.client"}),
        ("def f():\n  if x:\n    from gcp_aws_bridge._sts.client import Sts", {"_sts.client"}),
        ("if TYPE_CHECKING:\n  from gcp_aws_bridge.emulator import Emulator", {"emulator"}),
        ("from gcp_aws_bridge.emulator.clock import Clock", {"emulator.clock"}),
        ("from gcp_aws_bridge import session", {""}),
        ("import gcp_aws_bridge", {""}),
        ("import os\nfrom botocore import session", set()),
        ("import gcp_aws_bridge_other", set()),
        ("from . import _sts", {"_sts"}),
        ("from ._sts import client", {"_sts.client"}),
        ("from .emulator import Emulator", {"emulator"}),
    ],
)
def test_imports_are_found(source: str, modules: set[str]) -> None:
    assert {f"{NAME}.{name}".rstrip(".") for name in modules} == imported(source)


@pytest.mark.parametrize("name", PIPELINE)
def test_a_part_imports_only_earlier_parts(name: str) -> None:
    before = part(*BASE, *PIPELINE[: PIPELINE.index(name) + 1])
    # Error messages quote names that trust policies and gcloud commands need.
    allowed = {*before, *(POLICY if name in ("_sts", "_tokens") else ())}
    assert {one: set() for one in part(name)} == {
        one: imports_of(one) - allowed for one in part(name)
    }


@pytest.mark.parametrize("name", BASE)
def test_the_base_imports_only_the_base(name: str) -> None:
    before = {*part(*BASE[: BASE.index(name)]), *part(name)}
    assert {one for module in part(name) for one in imports_of(module)} <= before


def test_no_two_modules_import_each_other() -> None:
    """Neither through other modules nor inside a function."""
    graph = {name: imports_of(name) & {*SOURCES} - {NAME, name} for name in SOURCES}
    assert list(TopologicalSorter(graph).static_order())


def test_the_page_names_every_module_of_the_pipeline() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    rows = re.findall(r"^\| `(\w+/\w+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    modules = [one.removeprefix(f"{NAME}.").replace(".", "/") for one in part(*PIPELINE)]
    assert sorted(one for one in modules if "/" in one) == sorted(rows)


def test_the_page_names_every_part() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    rows = re.findall(r"^\| `(\w+)/?` \|", PAGE.read_text(encoding="utf-8"), re.M)
    parts = {one.removeprefix(f"{NAME}.").split(".")[0] for one in SOURCES} - {NAME, "__main__"}
    assert sorted(parts) == sorted(rows)


@pytest.mark.parametrize("name", ["atomic", "policy", "state"])
def test_refresh_decisions_use_no_clock_threads_or_logs(name: str) -> None:
    found = {
        alias.name
        for node in ast.walk(parsed(SOURCES[f"{NAME}._cache.{name}"]))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert found <= {"enum"}


@pytest.mark.parametrize("name", SERVER)
def test_the_server_imports_the_core_and_itself(name: str) -> None:
    assert imports_of(name) <= {*CORE, *SERVER}


@pytest.mark.parametrize("name", WEBHOOK)
def test_the_webhook_imports_the_core_the_server_the_injection_and_itself(name: str) -> None:
    assert imports_of(name) <= {*CORE, *SERVER, *INJECT, *WEBHOOK}


@pytest.mark.parametrize("name", GOOGLE)
def test_the_other_direction_imports_the_core_and_itself(name: str) -> None:
    names = f"{NAME}.policy.names"  # of projects, for the fixes of errors
    assert imports_of(name) <= {*CORE, *GOOGLE, names}


@pytest.mark.parametrize("name", POLICY)
def test_policies_import_no_networks_clocks_or_settings(name: str) -> None:
    assert imports_of(name) <= {f"{NAME}.exceptions", *part("config"), *POLICY}


@pytest.mark.parametrize("name", DOCTOR)
def test_the_doctor_imports_the_core_the_policies_and_itself(name: str) -> None:
    other_direction = GOOGLE if name.startswith(f"{NAME}.doctor.google") else ()
    variables = f"{NAME}.inject.variables"  # of injected pods
    assert imports_of(name) <= {*CORE, *POLICY, *DOCTOR, variables, *other_direction}


@pytest.mark.parametrize("name", [*PROVISION, *INJECT])
def test_provision_and_injection_are_pure(name: str) -> None:
    if name in PROVISION:
        own = {*PROVISION, f"{NAME}.inject.annotations"}  # the rules of what it writes
    else:
        own = {*INJECT, *part("config"), f"{NAME}._settings"}
        own |= {f"{NAME}.google.{one}" for one in ("_federation", "_configuration")}
    assert imports_of(name) <= {f"{NAME}.exceptions", *POLICY, *own}
    found = {
        whence.split(".")[0]
        for node in ast.walk(parsed(SOURCES[name]))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for whence in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    text = {"configparser", "copy", "json", "re", "shlex", "pathlib"}  # pathlib: only pure paths
    kinds = {"__future__", "collections", "dataclasses", "functools", "typing"}
    assert found <= {NAME, *text, *kinds}


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_imports_the_core_and_no_other_adapter(name: str) -> None:
    assert imports_of(name) <= {*CORE}


@pytest.mark.parametrize("name", EMULATOR)
def test_the_emulator_imports_only_itself(name: str) -> None:
    assert imports_of(name) <= {*EMULATOR}


@pytest.mark.parametrize("name", [NAME, f"{NAME}.__main__"])
def test_the_root_imports_no_emulator(name: str) -> None:
    assert imports_of(name) <= {f"{NAME}.cli", *CORE}


def test_only_the_command_line_and_the_test_kit_use_both() -> None:
    using = {name for name in SOURCES if imports_of(name) & {*EMULATOR}} - {*EMULATOR}
    assert {f"{NAME}.cli.emulate", f"{NAME}.testing._pod"} <= using
    assert using <= {*CLI, *TESTING}


@pytest.mark.parametrize("name", TESTING)
def test_the_test_kit_imports_the_core_the_emulator_and_itself(name: str) -> None:
    assert imports_of(name) <= {*CORE, *EMULATOR, *TESTING, NAME}


def test_nothing_uses_the_test_kit() -> None:
    assert {*TESTING} >= {name for name in SOURCES if imports_of(name) & {*TESTING}}


GOOGLE_AUTH = {
    f"google.{name}"
    for name in (
        *("_aws_identity", "_credentials", "_exchange", "_install", "_subject_tokens"),
        "_transport",
    )
}


@pytest.mark.parametrize(
    ("library", "modules"),
    [
        (
            "google",
            {
                *("_tokens.google_auth", "_tokens.google_auth_errors"),
                *("_tokens.google_auth_internals", "_tokens.google_connection"),
                *("_tokens.google_files", *GOOGLE_AUTH),
            },
        ),
        ("boto3", {"_botocore.boto3", "_botocore.session"}),
        ("aiobotocore", {"_botocore.aiobotocore", "aio"}),
        ("http", {"_tokens.bounded_answer"}),
        (
            "requests",
            {
                *("_tokens.google_auth_errors", "_tokens.google_connection"),
                "google._certificates",
            },
        ),
        ("urllib3", set()),
        ("uvicorn", {"server.bodies", "server.protocols", "server.running"}),
        ("prometheus_client", {"server.status", "webhook.metrics"}),
        ("lightkube", {"webhook.cluster"}),
        ("httpx2", {"webhook.cluster"}),
        ("ruamel", {"cli._manifests"}),
        ("jsonpatch", {"cli.inject"}),
        ("subprocess", {"cli._child", "cli._setup_check", "cli._signals"}),
    ],
)
def test_a_library_is_imported_only_by_its_own_modules(library: str, modules: set[str]) -> None:
    using = set()
    for name in (*CORE, *POLICY, *GOOGLE, *ADAPTERS, *SERVER, *WEBHOOK, *DOCTOR, *PROVISION, *CLI):
        if library in libraries_of(SOURCES[name]):
            using.add(name.removeprefix(f"{NAME}."))
    assert modules == using


@cache
def libraries_of(source: str) -> set[str]:
    found = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


# -- the clock, randomness and the environment -------------------------------------------------


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that runs when the module is imported.

    These are all nodes outside of function bodies: decorators, defaults and class bodies too.
    """
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts: list[ast.AST] = [*child.decorator_list, child.args]
        elif isinstance(child, ast.Lambda):
            parts = [child.args]
        else:
            yield child
            parts = [child]
        for part in parts:
            if part is not child:
                yield part
            yield from run_at_import(part)


ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "expandvars", "expanduser"}
ENVIRONMENT |= {"gethostname", "home", "cwd", "getcwd"}


def environment_reads(source: str) -> list[int]:
    """Return the lines that read the environment, the home or the host name on import."""
    return sorted(
        {
            node.lineno
            for node in run_at_import(parsed(source))
            if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
            or (isinstance(node, ast.Name) and node.id in ENVIRONMENT)
        }
    )


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import os\nX = os.environ['X']", [2]),
        ("import os\nX = os.getenv('X')", [2]),
        ("from os import environ\nX = environ.get('X')", [2]),
        ("import os\nclass A:\n  x = os.environ", [3]),
        ("import os\ndef f(x=os.environ): ...", [2]),
        ("import os\ndef f(*, x=os.environ): ...", [2]),
        ("import os\n@d(os.environ)\ndef f(): ...", [2]),
        ("import os\nf = lambda x=os.environ: 1", [2]),
        ("import os\nif os.environ: ...", [2]),
        ("import os\nX = [os.environ for _ in y]", [2]),
        ("from pathlib import Path\nX = Path.home()", [2]),
        ("import os\ndef f(): return os.environ", []),
        ("import os\nclass A:\n  def f(self): return os.environ", []),
        ("import os\nf = lambda: os.environ", []),
    ],
)
def test_environment_reads_are_found(source: str, lines: list[int]) -> None:
    assert lines == environment_reads(source)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_environment_is_read_at_import(name: str) -> None:
    assert [] == environment_reads(SOURCES[name])


CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("sleep", "gmtime", "localtime", "clock_gettime"),
    },
    "random": {"random", "uniform", "randint", "choice", "SystemRandom"},
}


def clock_reads(source: str) -> list[str]:
    """Return the functions for time, sleep and randomness that *source* uses, under any alias."""
    found = set()
    aliases: dict[str, str] = {}
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                aliases[alias.asname or alias.name] = alias.name
                if alias.name in CLOCKS.get(node.module or "", set()) - {"datetime", "date"}:
                    found.add(f"{node.module}.{alias.name}")
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            last = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            last = aliases.get(last, last)
            if node.attr in CLOCKS.get(last, set()):
                found.add(f"{last}.{node.attr}")
    return sorted(found)


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("from datetime import datetime\ndatetime.now(tz)", ["datetime.now"]),
        ("import datetime\nx = datetime.datetime.now", ["datetime.now"]),
        ("import datetime as dt\ndt.datetime.utcnow()", ["datetime.utcnow"]),
        ("from datetime import datetime as d\nd.now()", ["datetime.now"]),
        ("from datetime import date\ndate.today()", ["date.today"]),
        ("import time\ntime.time()", ["time.time"]),
        ("import time as t\nt.time()", ["time.time"]),
        ("import time\ndef f(sleep=time.sleep): ...", ["time.sleep"]),
        ("from time import time", ["time.time"]),
        ("from time import monotonic as m", ["time.monotonic"]),
        ("import random\nrandom.random()", ["random.random"]),
        ("from datetime import datetime\ndatetime.fromtimestamp(1, tz)", []),
        ("self.world.clock()\nworld.sleep(1)\nworld.monotonic()", []),
        ("threading.Event().wait(1)", []),
    ],
)
def test_clock_reads_are_found(source: str, reads: list[str]) -> None:
    assert reads == clock_reads(source)


LIBRARY = [
    *CORE,
    *POLICY,
    *ADAPTERS,
    *SERVER,
    *INJECT,
    *WEBHOOK,
    *DOCTOR,
    *PROVISION,
    *TESTING,
    NAME,
]


@pytest.mark.parametrize("name", LIBRARY)
def test_the_core_reads_clock_and_chance_in_one_place(name: str) -> None:
    allowed = {
        f"{NAME}._cache.clock": ["datetime.now", "time.monotonic", "time.sleep"],
        # In default arguments: a command with a cached answer does not load datetime.
        f"{NAME}._cache.file_cache": ["time.monotonic", "time.sleep", "time.time"],
    }
    assert allowed.get(name, []) == clock_reads(SOURCES[name])


@pytest.mark.parametrize("name", EMULATOR)
def test_the_emulator_reads_the_wall_clock_in_one_place(name: str) -> None:
    wall = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    wall |= {"time.time", "time.time_ns", "time.gmtime", "time.localtime"}
    allowed = {"datetime.now"} if name == f"{NAME}.emulator.clock" else set()
    assert allowed == wall & {*clock_reads(SOURCES[name])}
