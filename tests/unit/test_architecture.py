"""docs/architecture.md, enforced: who may import whom, who may read the world.

Each rule is a function of source text, so that it is shown to fail where it should.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
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
CACHE = sorted(name for name in SOURCES if name.startswith(f"{NAME}._cache"))
CORE = sorted(
    name
    for name in SOURCES
    if name in CACHE
    or (
        re.fullmatch(rf"{NAME}\.(?!__)\w+", name)
        and not (PACKAGE / name.rpartition(".")[2]).is_dir()
    )
)
EMULATOR = sorted(name for name in SOURCES if name.startswith(f"{NAME}.emulator"))
GOOGLE = sorted(name for name in SOURCES if name.startswith(f"{NAME}.google"))
CLI = sorted(name for name in SOURCES if name.startswith(f"{NAME}.cli"))
SERVER = sorted(name for name in SOURCES if name.startswith(f"{NAME}.server"))
DOCTOR = sorted(name for name in SOURCES if name.startswith(f"{NAME}.doctor"))
POLICY = sorted(name for name in SOURCES if name.startswith(f"{NAME}.policy"))
PROVISION = sorted(name for name in SOURCES if name.startswith(f"{NAME}.provision"))
TESTING = sorted(name for name in SOURCES if name.startswith(f"{NAME}.testing"))
ADAPTERS = sorted(name for name in SOURCES if name.startswith(f"{NAME}.adapters"))

# The order of the table on that page: what a module may import stands before it.
ORDER = [
    *("_version", "exceptions", "_traceback", "_values", "policy", "_extra", "_pickled", "_names"),
    *("_service_account", "_private_file", "_file_cache", "_environment"),
    *("_credentials", "_cache", "config", "_settings"),
    *(
        "_botocore_internals",
        "_bounded_answer",
        "_unreadable_answer",
        "_boto3_internals",
        "_botocore_session",
    ),
    *("_endpoint", "_botocore_connection", "_google_connection"),
    *("_id_token", "_http", "_metadata_errors", "_metadata", "_token_file", "_wire_logs"),
    *("_google_auth_internals", "_google_files", "_google_auth_errors", "_federated_id_token"),
    *("_google_auth", "_default_source"),
    *("_bound_source", "tokens"),
    *("_tls", "_denied", "_refusals", "_sts_key", "_sts", "_exchange"),
    *(
        "_cells",
        "_request",
        "_botocore_credentials",
        "_rejected",
        "_provider",
    ),
    *("_aiobotocore", "_register", "_boto3", "_session", "aio"),
]


# The same, within the credential cache.
CACHE_ORDER = [
    *(
        "atomic",
        "clock",
        "fork_hook",
        "fork",
        "recently_used",
        "policy",
        "events",
        "state",
        "late_patch",
        "attempt",
    ),
    *("xray_internals", "tracing", "workers", "refresher", "cache", "sharing", "persistence"),
]


parsed = lru_cache(maxsize=None)(ast.parse)


def test_there_is_something_to_look_at() -> None:
    assert len(CORE) > 20
    assert len(EMULATOR) > 10
    assert f"{NAME}.cli.demo" in CLI
    assert f"{NAME}.server.endpoint" in SERVER
    assert f"{NAME}.adapters.s3fs" in ADAPTERS
    assert f"{NAME}.doctor.chain" in DOCTOR
    assert f"{NAME}.doctor.google.chain" in DOCTOR
    assert f"{NAME}.google._cells" in GOOGLE
    known = [NAME, f"{NAME}.__main__", *CORE, *POLICY, *ADAPTERS, *SERVER, *EMULATOR, *CLI]
    known += [*DOCTOR, *PROVISION, *GOOGLE, *TESTING]
    assert sorted(SOURCES) == sorted(known)


# -- imports -----------------------------------------------------------------------------------


def imported(source: str, package: str = NAME) -> set[str]:
    """Every module of ours that *source* imports, wherever in it, for its types only or not."""
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
        ("import gcp_aws_bridge._sts", {"_sts"}),
        ("import gcp_aws_bridge._sts as x, os", {"_sts"}),
        ("from gcp_aws_bridge import _sts, _http", {"_sts", "_http"}),
        ("from gcp_aws_bridge._sts import Sts", {"_sts"}),
        ("def f():\n  if x:\n    from gcp_aws_bridge._sts import Sts", {"_sts"}),
        ("if TYPE_CHECKING:\n  from gcp_aws_bridge.emulator import Emulator", {"emulator"}),
        ("from gcp_aws_bridge.emulator.clock import Clock", {"emulator.clock"}),
        ("from gcp_aws_bridge import session", {""}),
        ("import gcp_aws_bridge", {""}),
        ("import os\nfrom botocore import session", set()),
        ("import gcp_aws_bridge_other", set()),
        ("from . import _sts", {"_sts"}),
        ("from ._sts import Sts", {"_sts"}),
        ("from .emulator import Emulator", {"emulator"}),
    ],
)
def test_imports_are_found(source: str, modules: set[str]) -> None:
    assert {f"{NAME}.{name}".rstrip(".") for name in modules} == imported(source)


def test_the_page_has_the_order_in_its_table() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    rows = re.findall(r"^\| `(\w+)/?` \|", PAGE.read_text(encoding="utf-8"), re.M)
    packages = ["google", "adapters", "server", "doctor", "provision", "cli", "emulator"]
    assert [*ORDER, *packages, "testing"] == rows
    inner = re.findall(r"^\| `_cache/(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert CACHE_ORDER == inner


def test_the_order_has_every_module() -> None:
    modules = [*({*CORE} - {*CACHE}), f"{NAME}.policy", f"{NAME}._cache"]
    assert sorted(modules) == sorted(f"{NAME}.{name}" for name in ORDER)
    inner = [f"{NAME}._cache", *(f"{NAME}._cache.{name}" for name in CACHE_ORDER)]
    assert sorted(inner) == CACHE


@pytest.mark.parametrize("name", ORDER)
def test_a_module_imports_only_what_stands_above_it(name: str) -> None:
    above = {f"{NAME}.{other}" for other in ORDER[: ORDER.index(name)]}
    above |= {*CACHE} if f"{NAME}._cache" in above else set()
    other = {found for found in imports_of(f"{NAME}.{name}") if f"{NAME}.{name}." not in found}
    assert set() == other - above


@pytest.mark.parametrize("name", CACHE_ORDER)
def test_the_cache_imports_errors_values_and_what_stands_above(name: str) -> None:
    above = {f"{NAME}._cache.{other}" for other in CACHE_ORDER[: CACHE_ORDER.index(name)]}
    above |= {f"{NAME}.{one}" for one in ("_cache", "exceptions", "_traceback", "_credentials")}
    assert imports_of(f"{NAME}._cache.{name}") <= above


@pytest.mark.parametrize("name", ["atomic", "policy", "state"])
def test_what_decides_about_refreshes_has_no_clock_threads_or_logs(name: str) -> None:
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


@pytest.mark.parametrize("name", GOOGLE)
def test_the_other_direction_imports_the_core_and_itself(name: str) -> None:
    names = f"{NAME}.policy.names"  # of projects, in what an error recommends
    assert imports_of(name) <= {*CORE, *GOOGLE, names}


@pytest.mark.parametrize("name", POLICY)
def test_policies_know_nothing_of_networks_clocks_or_settings(name: str) -> None:
    assert imports_of(name) <= {f"{NAME}.exceptions", *POLICY}


@pytest.mark.parametrize("name", DOCTOR)
def test_the_doctor_imports_the_core_the_policies_and_itself(name: str) -> None:
    other_direction = GOOGLE if name.startswith(f"{NAME}.doctor.google") else ()
    assert imports_of(name) <= {*CORE, *POLICY, *DOCTOR, *other_direction}


@pytest.mark.parametrize("name", PROVISION)
def test_provision_is_pure(name: str) -> None:
    assert imports_of(name) <= {f"{NAME}.exceptions", *POLICY, *PROVISION}
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
    text = {"configparser", "json", "re", "shlex", "pathlib"}  # of pathlib, pure paths
    kinds = {"__future__", "collections", "dataclasses", "functools", "typing"}
    assert found <= {NAME, *text, *kinds}


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_imports_the_core_and_no_other_adapter(name: str) -> None:
    assert imports_of(name) <= {*CORE}


@pytest.mark.parametrize("name", EMULATOR)
def test_the_emulator_imports_nothing_but_itself(name: str) -> None:
    assert imports_of(name) <= {*EMULATOR}


@pytest.mark.parametrize("name", [NAME, f"{NAME}.__main__"])
def test_the_root_imports_no_emulator(name: str) -> None:
    assert {f"{NAME}.cli"} >= imports_of(name) - {f"{NAME}.{core}" for core in ORDER} - {*CACHE}


def test_the_command_line_and_the_test_kit_alone_use_both() -> None:
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
    for name in ("_aws_identity", "_credentials", "_exchange", "_subject_tokens", "_transport")
}


@pytest.mark.parametrize(
    ("library", "modules"),
    [
        (
            "google",
            {
                *("_google_auth", "_google_auth_errors", "_google_connection", "_google_files"),
                *GOOGLE_AUTH,
            },
        ),
        ("boto3", {"_boto3", "_session"}),
        ("aiobotocore", {"_aiobotocore", "aio"}),
        ("http", {"_bounded_answer", "_http"}),
        ("requests", {"_google_auth_errors", "_google_connection", "google._certificates"}),
        ("urllib3", set()),
        ("uvicorn", {"server.running"}),
        ("prometheus_client", {"server.status"}),
        ("ruamel", {"cli._from_pod"}),
        ("subprocess", {"cli._child", "cli._setup_check", "cli._signals"}),
    ],
)
def test_a_library_is_imported_in_its_own_place_only(library: str, modules: set[str]) -> None:
    using = set()
    for name in (*CORE, *POLICY, *GOOGLE, *ADAPTERS, *SERVER, *DOCTOR, *PROVISION, *CLI):
        for node in ast.walk(parsed(SOURCES[name])):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if any(found.split(".")[0] == library for found in names):
                using.add(name.removeprefix(f"{NAME}."))
    assert modules == using


# -- the world ---------------------------------------------------------------------------------


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: not the bodies of functions, but their
    decorators and defaults, and the bodies of classes."""
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
    """Lines where the environment (or home, or host) is read when the module is imported."""
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
    """What of the clock, of sleep and of chance *source* names, under whatever name."""
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


LIBRARY = [*CORE, *POLICY, *ADAPTERS, *SERVER, *DOCTOR, *PROVISION, *TESTING, NAME]


@pytest.mark.parametrize("name", LIBRARY)
def test_the_core_reads_clock_and_chance_in_one_place(name: str) -> None:
    allowed = {
        f"{NAME}._cache.clock": ["datetime.now", "random.random", "time.monotonic", "time.sleep"],
        # In default arguments: a command that answers at once does without datetime.
        f"{NAME}._file_cache": ["time.monotonic", "time.sleep", "time.time"],
    }
    assert allowed.get(name, []) == clock_reads(SOURCES[name])


@pytest.mark.parametrize("name", EMULATOR)
def test_the_emulator_reads_the_wall_clock_in_one_place(name: str) -> None:
    wall = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    wall |= {"time.time", "time.time_ns", "time.gmtime", "time.localtime"}
    allowed = {"datetime.now"} if name == f"{NAME}.emulator.clock" else set()
    assert allowed == wall & {*clock_reads(SOURCES[name])}
