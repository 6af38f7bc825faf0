"""The workflow files run what .ci/run runs, on all supported versions, with pinned actions."""

from __future__ import annotations

import re
import runpy
import sys
import types
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="not in a source checkout")


def jobs(name: str) -> dict[str, Any]:
    text = (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return found


# .ci/run has one machine of two cores and twenty minutes; here, each session has a machine.
NO_TIME_HERE = {
    *("aioboto3", "airflow", "engines", "figures", "frozen", "sbom", "servers", "tests", "tracers"),
    "upstream",
}


def sessions(lines: list[str]) -> set[str]:
    """Return the nox sessions, without the version of Python and the arguments after `--`."""
    names = {name for line in lines for name in line.partition(" -- ")[0].split()}
    return {re.split(r"[-(]", name.strip('"'))[0] for name in names}


def test_workflow_runs_the_sessions_of_ci_run() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    local = sessions(re.findall(r"^(?:    |job \")session ([a-z][^\"\n]*)", script, re.M))
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    there = sessions(re.findall(r"nox -s (.*)$", workflow, re.M)) - {"$SESSION"}
    there |= {*jobs("ci.yml")["checks"]["strategy"]["matrix"]["session"]}
    assert len(local) > 10
    assert {*local, *NO_TIME_HERE} == there


def test_what_everything_ignores_runs_in_another_session() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    [options] = re.findall(r"^    session everything -- --suite=rest (.*)$", script, re.M)
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    for option in options.split():
        folder = option.removeprefix("--ignore=")
        [name] = [
            re.findall(r"^def (\w+)", session, re.M)[0]
            for session in noxfile.split("@nox.session")
            if f'"{folder}"' in session
        ]
        # A selection only of what the workflow runs in full, which the test above compares.
        options = r"( -- (--suite=selection )?--ignore=.*)?"
        assert re.search(rf"^    session {name}{options}$", script, re.M)


def test_the_systems_have_the_oldest_and_the_newest_python() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r"Python :: (3\.\d+)", project)
    systems = jobs("ci.yml")["systems"]["strategy"]["matrix"]
    assert [promised[0], promised[-1]] == systems["python"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_has_a_time_limit_and_permissions(path: Path) -> None:
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {} == whole["permissions"]
    for job in whole["jobs"].values():
        assert job["timeout-minutes"] <= 25
        assert (
            {} == job["permissions"]
            or {"contents": "read"} == job["permissions"]
            or (path.name == "release.yml")
        )


def test_the_final_job_waits_for_all_others() -> None:
    found = jobs("ci.yml")
    wanted = found.pop("all-well")
    assert [*found] == wanted["needs"]
    assert f'"{" ".join(["success"] * len(found))}"' in wanted["steps"][0]["run"]


def test_jobs_of_a_release_have_only_the_permissions_they_need() -> None:
    found = jobs("release.yml")
    signs = {"id-token": "write", "attestations": "write", "packages": "write"}
    assert {
        "build": {"contents": "read"},
        "pypi": {"id-token": "write"},
        "image": {"contents": "read", **signs},
        "chart": {"contents": "read", **signs},
        "github": {"contents": "write"},
    } == {name: job["permissions"] for name, job in found.items()}
    # PyPI trusts the environment; other jobs use their identity for signatures alone.
    assert ["pypi"] == [name for name, job in found.items() if "environment" in job]


def test_release_puts_the_image_into_the_chart() -> None:
    [script] = [
        step["run"]
        for step in jobs("release.yml")["chart"]["steps"]
        if "helm package" in step.get("run", "")
    ]
    values = (ROOT / "docs/kubernetes/chart/values.yaml").read_text(encoding="utf-8")
    replaced = re.findall(r"s\|\^(.*?)\|", script)
    assert ['  repository: \\"\\"', '  digest: \\"\\"'] == replaced
    for line in replaced:
        assert 1 == values.count("\n" + line.replace("\\", "") + "\n")


class Session:
    """A nox session whose programs succeed and write nothing."""

    def install(self, *packages: str) -> None: ...

    def run(self, *command: str) -> None: ...

    def error(self, *words: str) -> None:
        raise RuntimeError(*words)


def test_site_that_is_not_built_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nox = types.ModuleType("nox")
    loads = {"load_toml": lambda _: {"dependency-groups": defaultdict(list)}}
    loads["python_versions"] = lambda _: ["3.13"]
    nox.project = types.SimpleNamespace(**loads)  # type: ignore[attr-defined]
    nox.options = types.SimpleNamespace()  # type: ignore[attr-defined]
    nox.session = lambda it=None, **_: it or (lambda inner: inner)  # type: ignore[attr-defined]
    nox.parametrize = lambda *_: lambda inner: inner  # type: ignore[attr-defined]
    nox.Session = Session  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nox", nox)
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(ROOT / "noxfile.py"))
    docs = found["docs"]
    monkeypatch.setitem(docs.__globals__, "SITE_PYTHON", "3.13")
    with pytest.raises(RuntimeError, match="wrote no"):
        docs(Session())
    monkeypatch.setitem(docs.__globals__, "SITE_PYTHON", None)  # nox skips a Python that is missing
    with pytest.raises(RuntimeError, match=r"needs Python 3\.12"):
        docs(Session())
