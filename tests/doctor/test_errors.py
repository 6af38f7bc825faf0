"""The fix of every error lets the next attempt succeed, or has a reason why no test applies it."""

from __future__ import annotations

import json
import pickle
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from fakes import ManualWorld
from unit.servers import AUDIENCE

import gcp_aws_bridge as bridge
from gcp_aws_bridge import policy
from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._tokens.default import DefaultSource, for_audience
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.token_file import TokenFile
from gcp_aws_bridge.cli import exec as exec_command
from gcp_aws_bridge.cli import google_exec
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import BridgeError
from gcp_aws_bridge.server.running import Address

from . import attempts, cluster_errors, fixing
from .environment import Attempt, Environment, command, fresh, in_file
from .pod import ROLE
from .table import PAGE, cases, ids_of

SETUP = [
    *("setup", "--non-interactive", "--project=my-project", "--location=europe-west1"),
    *("--cluster=prod", "--namespace=data", "--ksa=etl", "--gsa=etl-runner"),
    *("--aws-account=123456789012", "--role=etl"),
]

ON_CLOUD_RUN = [*SETUP[:4], "--on=cloud-run", "--service=reports", *SETUP[7:]]
ON_EKS = ["setup", "--on=eks-issuer", *SETUP[1:3], "--region=eu-west-1", "--cluster=prod"]
ON_EKS += ["--direct", SETUP[-2]]


@pytest.fixture
def env(
    emulator: Emulator, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Environment:
    env = Environment(tmp_path, monkeypatch, emulator)
    emulator.add_role(ROLE)
    env.set(**emulator.environ, AWS_CONFIG_FILE=env.file("config"))
    return env


def token_file(env: Environment, mode: int) -> str:
    path = Path(env.file("token", fresh(env)))
    path.chmod(mode)
    return TokenFile(path)()


def key_file(env: Environment, text: str | None) -> str:
    path = env.cloud.key_file(env.folder)["GOOGLE_APPLICATION_CREDENTIALS"]
    if text is not None:
        Path(path).write_text(text)
    return GoogleCredentials(key_file=path, audience=AUDIENCE)()


def default_credentials(env: Environment, text: str | None) -> str:
    found = env.cloud.key_file(env.folder)
    if text is not None:
        Path(found["GOOGLE_APPLICATION_CREDENTIALS"]).write_text(text)
    env.set(**found)
    return GoogleCredentials(audience=AUDIENCE)()


def no_credentials(env: Environment) -> str:
    env.set(GOOGLE_APPLICATION_CREDENTIALS=str(env.folder / "nowhere.json"))
    return GoogleCredentials(audience=AUDIENCE)()


def without_metadata(env: Environment) -> None:
    env.set(GCE_METADATA_HOST="127.0.0.1:1")


def config_file(text: str) -> Attempt:
    def run(env: Environment) -> None:
        env.file("config", text)
        exec_command._check_files()

    return run


def boto_file(text: str) -> Attempt:
    def run(env: Environment) -> None:
        env.set(BOTO_CONFIG=env.file("boto", text))
        exec_command._check_files()

    return run


def region(**changes: Any) -> Attempt:
    role = Role("arn:aws-iso:iam::123456789012:role/etl", **changes)
    return lambda env: sts_region(botocore.session.Session(), role)


def listening_where_another_does() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        Address("127.0.0.1", taken.getsockname()[1]).bound().close()


STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = {"Version": "2012-10-17", "Statement": [STATEMENT]}
MANAGED = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
CLAIMS = {
    "iss": "https://accounts.google.com",
    "sub": "104203741234567890123",
    "azp": "104203741234567890123",
    "aud": AUDIENCE,
}
TRUST = json.dumps(policy.build(audience="aws:1:etl", service_accounts=["1" * 21]))

CHAINED = "arn:aws:iam::210987654321:role/chained"

# Id -> an attempt that raises the error, and the same with the change that the fix describes.
FIXED: dict[str, tuple[Attempt, Attempt]] = {
    "config/audience": (
        lambda env: for_audience(GoogleCredentials(audience="a"), "b"),
        lambda env: for_audience(GoogleCredentials(), "b"),
    ),
    "config/boto-config": (boto_file("[Credentials]\naws_access_key_id = x\n"), boto_file("")),
    "config/claims": (
        lambda env: policy.evaluate(json.loads(TRUST), {"iss": 5}),
        lambda env: policy.evaluate(json.loads(TRUST), CLAIMS),
    ),
    "config/default-profile": (
        config_file("[default]\naws_access_key_id = x\n"),
        config_file("[profile named]\naws_access_key_id = x\n"),
    ),
    "config/chain": (
        lambda env: Role(ROLE, chain=[{"arn": CHAINED, "id": "acme"}]),  # type: ignore[list-item]
        lambda env: Role(ROLE, chain=[{"arn": CHAINED, "external_id": "acme"}]),  # type: ignore[list-item]
    ),
    "config/chain-policy": (
        lambda env: Role(ROLE, chain=[ChainedRole(CHAINED, policy=POLICY)], policy_arns=[MANAGED]),
        lambda env: Role(ROLE, chain=[ChainedRole(CHAINED, policy=POLICY, policy_arns=[MANAGED])]),
    ),
    "config/external-id": (
        lambda env: ChainedRole(CHAINED, external_id="acme 42"),
        lambda env: ChainedRole(CHAINED, external_id="acme-42"),
    ),
    "config/source-identity": (
        lambda env: ChainedRole(CHAINED, source_identity="acme/etl"),
        lambda env: ChainedRole(CHAINED, source_identity="acme-etl"),
    ),
    "config/sts-regions": (
        lambda env: Role(ROLE, region_name="us-east-1", sts_regions=["eu-west-1"]),
        lambda env: Role(ROLE, sts_regions=["us-east-1", "eu-west-1"]),
    ),
    "config/tags": (
        lambda env: ChainedRole(CHAINED, tags={"tenant": "acme!"}),
        lambda env: ChainedRole(CHAINED, tags={"tenant": "acme"}),
    ),
    "config/transitive-tags": (
        lambda env: ChainedRole(CHAINED, transitive_tag_keys=["tenant"]),
        lambda env: ChainedRole(CHAINED, tags={"tenant": ""}, transitive_tag_keys=["tenant"]),
    ),
    "config/list": (
        lambda env: Role(ROLE, chain="arn"),  # type: ignore[arg-type]
        lambda env: Role(ROLE, chain=["arn:aws:iam::123456789012:role/b"]),
    ),
    "config/listen": (
        lambda env: listening_where_another_does(),
        lambda env: Address("127.0.0.1", 0).bound().close(),
    ),
    "config/path": (
        lambda env: TokenFile(5),  # type: ignore[arg-type]
        lambda env: TokenFile(env.folder / "token"),
    ),
    "config/pickle": (
        lambda env: pickle.dumps(GoogleCredentials(object())),
        lambda env: pickle.dumps(GoogleCredentials(key_file="key.json")),
    ),
    "config/policy": (
        lambda env: Role(ROLE, policy="{"),
        lambda env: Role(ROLE, policy=POLICY),
    ),
    "config/policy-arns": (
        lambda env: Role(ROLE, policy_arns=["AmazonS3ReadOnlyAccess"]),
        lambda env: Role(ROLE, policy_arns=[MANAGED]),
    ),
    "config/region": (region(), region(region_name="us-iso-east-1")),
    "config/role-and-settings": (
        lambda env: bridge.session(Role(ROLE), duration_seconds=900),
        lambda env: bridge.session(replace(Role(ROLE), duration_seconds=900)),
    ),
    "config/session": (
        lambda env: bridge.register("session", ROLE),
        lambda env: bridge.register(boto3.Session(), ROLE),
    ),
    "config/setup-file": (
        command(*SETUP, "--policy=FOLDER/none"),
        in_file("policy.json", json.dumps(POLICY), *SETUP, "--policy=FOLDER/policy.json"),
    ),
    "config/setup-format": (
        command(*ON_CLOUD_RUN, "--format=kubernetes"),
        command(*ON_CLOUD_RUN),
    ),
    "config/setup-missing": (command(*SETUP[:-1]), command(*SETUP)),
    "config/setup-name": (command(*SETUP[:-1], "--role=a b"), command(*SETUP)),
    "config/setup-option": (command(*SETUP, "--grant=roles/viewer"), command(*SETUP)),
    "config/setup-output": (
        in_file("taken", "", *SETUP, "--output=FOLDER/taken/x"),
        command(*SETUP, "--output=FOLDER/out"),
    ),
    "config/setup-policy": (
        in_file("policy.json", "{", *SETUP, "--policy=FOLDER/policy.json"),
        in_file("policy.json", json.dumps(POLICY), *SETUP, "--policy=FOLDER/policy.json"),
    ),
    "config/setup-subject": (
        command(*ON_EKS, f"--namespace={'n' * 60}", f"--ksa={'k' * 60}"),
        command(*ON_EKS, "--namespace=data", "--ksa=etl"),
    ),
    "config/token-source": (
        lambda env: for_audience("token", AUDIENCE),  # type: ignore[arg-type]
        lambda env: for_audience(lambda: "token", AUDIENCE),
    ),
    "config/input-file": (
        command("trust-policy", "lint", "FOLDER/none.json"),
        in_file("policy.json", TRUST, "trust-policy", "lint", "FOLDER/policy.json"),
    ),
    "config/trust-policy": (
        in_file("policy.json", "[]", "trust-policy", "lint", "FOLDER/policy.json"),
        in_file("policy.json", TRUST, "trust-policy", "lint", "FOLDER/policy.json"),
    ),
    "config/trust-policy-value": (
        lambda env: policy.build(audience="aws:1:etl", service_accounts=["*"]),
        lambda env: policy.build(audience="aws:1:etl", service_accounts=["1" * 21]),
    ),
    "config/google-default-file": (
        lambda env: google_default(env, '{"type": "authorized_user"}'),
        lambda env: google_default(env, None),
    ),
    "token/file-unreadable": (
        lambda env: TokenFile(env.folder)(),
        lambda env: token_file(env, 0o600),
    ),
    "token/google-none": (no_credentials, lambda env: default_credentials(env, None)),
    "token/key-file": (lambda env: key_file(env, "{}"), lambda env: key_file(env, None)),
    "token/google-file": (
        lambda env: default_credentials(env, "{"),
        lambda env: default_credentials(env, None),
    ),
    "token/none": (
        lambda env: (
            without_metadata(env),
            DefaultSource(AUDIENCE, world=ManualWorld().world)(),
        )[1],
        lambda env: TokenFile(env.file("token", fresh(env)))(),
    ),
    "token/metadata-unreachable": (
        lambda env: (without_metadata(env), bridge.MetadataServer(AUDIENCE, deadline_s=0)())[1],
        lambda env: TokenFile(env.file("token", fresh(env)))(),
    ),
    **attempts.FIXED,
    **cluster_errors.FIXED,
}


def google_default(env: Environment, text: str | None) -> None:
    folder = env.folder / "gcloud"
    folder.mkdir(exist_ok=True)
    env.set(CLOUDSDK_CONFIG=str(folder))
    path = folder / "application_default_credentials.json"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    google_exec._check_login(str(folder))


# File and name of another test that applies the fix.
_ADVICE = "google_cloud/test_advice.py"
_APPLIED = (_ADVICE, "test_the_recommended_fix_is_applied_and_the_next_attempt_succeeds")
_TABLE = ("doctor/test_table.py", "test_cause_is_reported_and_its_fix_works")
ELSEWHERE = {
    "exchange/google-scope": _APPLIED,
    "config/google-scopes": _APPLIED,
    "exchange/google-account": _APPLIED,
    "exchange/google-aws-account": _APPLIED,
    "exchange/google-impersonation": _APPLIED,
    "exchange/google-lifetime": _APPLIED,
    "exchange/google-aws": _APPLIED,
    "token/outbound-session": (
        _ADVICE,
        "test_keys_that_end_within_two_minutes_are_replaced_by_fresh_ones",
    ),
    "config/beam": ("engines/test_beam.py", "test_corrected_option_names_a_role"),
    "config/sts-proxy-forwarding": (
        "emulated/test_proxies.py",
        "test_proxy_that_would_decrypt_https_gets_nothing",
    ),
    "config/google-proxy-forwarding": (
        "google_cloud/test_proxies.py",
        "test_proxy_that_would_decrypt_https_gets_nothing",
    ),
    "config/signer-redirect": (
        "emulated/test_signer.py",
        "test_redirect_is_an_error_and_not_followed",
    ),
    "config/patched-late": (
        "servers/test_gunicorn.py",
        "test_worker_makes_one_exchange_at_a_time_and_blocks_no_other_request",
    ),
    "token/aws-changed": (
        "google_cloud/test_sources.py",
        "test_another_role_of_irsa_is_another_identity",
    ),
    # The same command as for doctor/google-api.
    "exchange/google-api": _TABLE,
}


@pytest.mark.parametrize("error_id", FIXED)
def test_fix_of_an_error_lets_the_next_attempt_succeed(
    error_id: str, env: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, fixed = FIXED[error_id]
    try:
        broken(env)
    except AssertionError:
        found = {re.findall(r"\[([a-z]+/[a-z0-9-]+)\]", capsys.readouterr().err)[-1]: "printed"}
    except Exception as error:  # noqa: BLE001 - botocore's or google-auth's, from this library's
        found = {one.error_id: one.fix for one in causes(error) if isinstance(one, BridgeError)}
    else:
        raise AssertionError(f"{error_id} was not raised")
    assert found.get(error_id), found
    for name in ("GCE_METADATA_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        env.patch.delenv(name, raising=False)
    fixed(env)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("page", ["doctor.md", "errors.md"])
def test_every_id_has_its_fix_applied_or_a_reason(page: str) -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    applied = {case.cause for case in cases() if not fixing.reason(case)}
    known = {*applied, *fixing.NOT_APPLIED, *FIXED, *ELSEWHERE}
    assert set() == ids_of(page) - known
    assert set() == {*fixing.NOT_APPLIED} & {*applied, *FIXED, *ELSEWHERE}


def test_ids_with_reasons_exist() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    ids = ids_of("doctor.md") | ids_of("errors.md")
    assert set() == {*fixing.NOT_APPLIED, *FIXED, *ELSEWHERE} - ids


@pytest.mark.parametrize("error_id", ELSEWHERE)
def test_test_that_applies_the_fix_exists(error_id: str) -> None:
    file, name = ELSEWHERE[error_id]
    text = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
    assert f"def {name}(" in text
    assert error_id in text or ELSEWHERE[error_id] == _TABLE
