"""The platforms outside of GKE: names, roles, the comparison, and what the script prints."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tools import BASH, needs_bash

from gcp_aws_bridge._settings import parsed_chain
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.config.chained_role import chain_text
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.policy import requests_of
from gcp_aws_bridge.provision.chain import Chain
from gcp_aws_bridge.provision.check import compare
from gcp_aws_bridge.provision.plan import AwsRole, Plan, Workload
from gcp_aws_bridge.provision.platforms import PLATFORMS
from gcp_aws_bridge.provision.queries import Answer
from gcp_aws_bridge.provision.shell import script
from gcp_aws_bridge.provision.terraform import terraform

yaml = pytest.importorskip("yaml")

GSA = "etl-runner@my-project.iam.gserviceaccount.com"
MEMBER = f"serviceAccount:{GSA}"
NUMBER = "104203741234567890123"
SETTINGS = {"project": "my-project", "gsa": GSA, "service": "reports"}
ELSEWHERE = [name for name, platform in PLATFORMS.items() if platform.resource]
DESCRIBED = [name for name in ELSEWHERE if PLATFORMS[name].describe]
WITH_ROLES = [name for name in ELSEWHERE if PLATFORMS[name].roles]


def made(platform: str, **more: str) -> Plan:
    zonal = PLATFORMS[platform].rules["location"] == "zone"
    values = {**SETTINGS, "location": "europe-west1-b" if zonal else "europe-west1", **more}
    wanted = {name: values[name] for name in PLATFORMS[platform].fields}
    return Plan(Workload(platform, **wanted), AwsRole("123456789012", "etl"))


def chained(it: Plan) -> Plan:
    """With a chained role that has all characters which shells, YAML and Cloud Build expand."""
    first = ChainedRole(
        "arn:aws:iam::210987654321:role/tenant",
        external_id="tenant,7",
        policy={"Statement": [{"Resource": "arn:aws:s3:::b/${aws:userid}/it's `x` {y} ;|%"}]},
    )
    whole = Role(it.role.arn, audience=it.role.audience, chain=[first])
    chain = Chain(whole.arns[1:], tuple(requests_of(whole)), chain_text(whole.chain))
    return replace(it, chain=chain)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ELSEWHERE)
def test_location_of_the_wrong_kind_is_rejected(platform: str) -> None:
    zonal = PLATFORMS[platform].rules["location"] == "zone"
    wrong = ["global", "europe-west1" if zonal else "europe-west1-b"]
    for location in wrong[platform == "cloud-build" :]:
        with pytest.raises(ConfigError, match=r"--location is .*\[config/setup-name\]"):
            made(platform, location=location)


def test_builds_may_be_global() -> None:
    assert "location=global\n" in script(made("cloud-build", location="global"))


@pytest.mark.parametrize(
    ("platform", "longest"),
    [
        *(("compute-engine", 63), ("cloud-run", 49), ("cloud-run-job", 49)),
        *(("cloud-functions", 49), ("dataproc", 52), ("workbench", 63)),
        *(("cloud-build", 64), ("composer", 64)),
    ],
)
def test_name_of_the_workload_has_the_length_of_its_platform(platform: str, longest: int) -> None:
    assert "a" * longest == made(platform, service="a" * longest).workload.service
    for name in ("a" * (longest + 1), "a-", "-a", ""):
        with pytest.raises(ConfigError, match="--service is "):
            made(platform, service=name)


def test_trigger_may_have_upper_case_and_a_digit_first() -> None:
    assert made("cloud-build", service="2-Nightly")
    with pytest.raises(ConfigError):
        made("composer", service="2-Nightly")


# -- the comparison --------------------------------------------------------------------------------


def nested(path: tuple[str | int, ...], value: Any) -> Any:
    for step in reversed(path):
        value = [value] if step == 0 else {step: value}
    return value


def bindings(roles: tuple[str, ...]) -> dict[str, Any]:
    return {"bindings": [{"role": role, "members": [MEMBER]} for role in roles]}


def answers(it: Plan) -> dict[str, Any]:
    """The answers of gcloud and aws if all is as planned, by the start of the command."""
    platform = it.workload.of_platform
    prefix = "projects/my-project/serviceAccounts/" if it.workload.platform == "cloud-build" else ""
    return {
        "gcloud iam service-accounts describe": {"uniqueId": NUMBER},
        "gcloud iam service-accounts get-iam-policy": bindings(platform.roles_on_itself),
        "gcloud projects get-iam-policy my-project": bindings(platform.roles),
        f"gcloud {' '.join(platform.describe)} reports": nested(
            platform.account_path, f"{prefix}{GSA}"
        ),
        "aws sts get-caller-identity": {"Account": "123456789012"},
        "aws iam get-open-id-connect-provider": None,
        "aws iam get-role": {"Role": {"AssumeRolePolicyDocument": it.trust_policy(NUMBER)}},
    }


def found_by(it: Plan, said: dict[str, Any]) -> list[tuple[str, str, str]]:
    """State, object and actual state of each difference."""

    def ask(command: Any) -> Answer:
        [found] = [said[start] for start in said if " ".join(command).startswith(start)]
        return Answer(absent=True) if found is None else Answer(found)

    return [(one.state, one.what, one.seen) for one in compare(it, ask) if one.state != "ok"]


@pytest.mark.parametrize("platform", ELSEWHERE)
def test_planned_state_is_ok(platform: str) -> None:
    assert [] == found_by(made(platform), answers(made(platform)))


@pytest.mark.parametrize("platform", DESCRIBED)
def test_other_account_is_reported(platform: str) -> None:
    it, path = made(platform), PLATFORMS[platform].account_path
    key = f"gcloud {' '.join(PLATFORMS[platform].describe)} reports"
    for found, difference in (
        (None, ("missing", "account of reports", "")),
        ({}, ("differs", "account of reports", "the project's default account")),
        (nested(path, "x@y"), ("differs", "account of reports", "x@y")),
    ):
        assert [difference] == found_by(it, answers(it) | {key: found})


@pytest.mark.parametrize("platform", WITH_ROLES)
def test_missing_role_of_the_account_is_reported(platform: str) -> None:
    it = made(platform)
    said = answers(it) | {"gcloud projects get-iam-policy my-project": bindings(("roles/viewer",))}
    difference = ("differs", f"role of {MEMBER} on my-project", "roles/viewer")
    assert [difference] == found_by(it, said)


def test_missing_permission_for_id_tokens_is_reported() -> None:
    it = made("cloud-build")
    said = answers(it) | {"gcloud iam service-accounts get-iam-policy": {}}
    assert [("differs", f"role of {MEMBER} on {GSA}", "no role")] == found_by(it, said)


# -- roles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", WITH_ROLES)
def test_each_format_grants_the_roles(platform: str) -> None:
    it, needed = made(platform), PLATFORMS[platform]
    for written in (script(it), terraform(it)):
        for role in (*needed.roles, *needed.roles_on_itself):
            assert role in written


def test_platform_that_needs_no_roles_grants_none() -> None:
    for platform in {*ELSEWHERE} - {*WITH_ROLES}:
        assert "add-iam-policy-binding" not in script(made(platform))
        assert "_iam_member" not in terraform(made(platform))


# -- what is printed -------------------------------------------------------------------------------


def printed(it: Plan, folder: Path, account: str = "") -> str:
    """Run the script with programs that print *account*, and return what it says."""
    for name in ("gcloud", "aws"):
        program = folder / name
        program.write_text(
            f'#!{BASH}\ncase "$*" in *uniqueId*) echo 1 ;; *Role.Arn*) exit 1 ;;\n'
            f"*get-caller*) echo 123456789012 ;; *value*) echo '{account}' ;;\nesac\n"
        )
        program.chmod(0o755)
    environ = {"PATH": f"{folder}:/usr/bin:/bin", "SETUP_PAUSE_S": "0"}
    done = subprocess.run(
        [str(BASH)], input=script(it), capture_output=True, text=True, env=environ, cwd=folder
    )
    assert 0 == done.returncode, done.stderr
    return done.stderr


def option_in(said: str, name: str) -> str:
    """Return the value of an option, as a shell reads the printed command."""
    text = said[said.index(f"--{name}") :].replace("\\\n", " ").splitlines()[0]
    return shlex.split(text)[0].partition("=")[2]


def listed(option: str) -> dict[str, str]:
    """Return the values of a list, as gcloud splits it ("gcloud topic escaping")."""
    between, _, pairs = option.removeprefix("^").partition("^")
    return dict(pair.split("=", 1) for pair in pairs.split(between))


@needs_bash
def test_composer_gets_the_variables(tmp_path: Path) -> None:
    it = chained(made("composer"))
    assert it.variables == listed(option_in(printed(it, tmp_path), "update-env-variables"))


@needs_bash
def test_spark_gets_the_variables_for_executors_and_driver(tmp_path: Path) -> None:
    it = chained(made("dataproc"))
    assert {
        f"{place}.{name}": value
        for place in ("spark.executorEnv", "spark.yarn.appMasterEnv")
        for name, value in it.variables.items()
    } == listed(option_in(printed(it, tmp_path), "properties"))


@needs_bash
def test_cloud_build_gets_the_variables(tmp_path: Path) -> None:
    it = chained(made("cloud-build"))
    said = printed(it, tmp_path)
    options = yaml.safe_load(said[said.index("options:\n") :])["options"]
    assert "CLOUD_LOGGING_ONLY" == options["logging"]
    assert "$${aws:userid}" in "".join(options["env"])  # Cloud Build substitutes ${…}
    pairs = (pair.replace("$$", "$").split("=", 1) for pair in options["env"])
    assert it.variables == dict(pairs)


@needs_bash
def test_custom_job_gets_the_variables(tmp_path: Path) -> None:
    it = chained(made("vertex-ai"))
    said = printed(it, tmp_path)
    env = yaml.safe_load(said[said.index("    env:\n") :])["env"]
    assert it.variables == {one["name"]: one["value"] for one in env}


@needs_bash
def test_notebook_gets_the_variables(tmp_path: Path) -> None:
    it = chained(made("workbench"))
    [line] = re.findall(r"^  (import os.*)$", printed(it, tmp_path), re.M)
    program = f"{line}\nimport json; print(json.dumps(dict(os.environ)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert it.variables.items() <= json.loads(done.stdout).items()


@needs_bash
@pytest.mark.parametrize("with_chain", [False, True])
def test_pipeline_gets_the_role(tmp_path: Path, with_chain: bool) -> None:
    it = chained(made("dataflow")) if with_chain else made("dataflow")
    said = printed(it, tmp_path)
    role = Role(**json.loads(option_in(said, "gcp_aws_bridge_role")))
    chain = parsed_chain(it.chain.setting, "test") if with_chain else ()
    assert Role(it.role.arn, audience=it.role.audience, chain=chain) == role
    assert GSA == option_in(said, "service_account_email")
    assert "gcp_aws_bridge.adapters.beam.BridgePlugin" == option_in(said, "beam_plugins")


def test_pipeline_with_a_plain_chain_gets_the_roles() -> None:
    it = made("dataflow")
    arn = "arn:aws:iam::210987654321:role/tenant"
    whole = Role(it.role.arn, chain=[arn])
    it = replace(it, chain=Chain((arn,), tuple(requests_of(whole)), chain_text(whole.chain)))
    _, option = it.pipeline_options
    assert (arn,) == Role(**json.loads(option.partition("=")[2])).chain
    assert "pipeline_options" in terraform(it)


@needs_bash
@pytest.mark.parametrize("platform", ["compute-engine", "dataproc", "workbench", "composer"])
def test_change_of_the_account_is_printed_only_if_it_differs(platform: str, tmp_path: Path) -> None:
    assert "reports has" not in printed(made(platform), tmp_path, account=GSA)
    other = printed(made(platform), tmp_path, account="x@y")
    assert "reports has x@y." in other
    assert GSA in other
    assert "reports has the default service account." in printed(made(platform), tmp_path)
