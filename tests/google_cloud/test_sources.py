"""Each source of an AWS identity in botocore can be exchanged for a token of Google."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import boto3
import botocore.session
import pytest
import requests
from botocore.utils import ContainerMetadataFetcher
from fakes import Journey, eventually
from google.auth.exceptions import RefreshError
from laptops import Laptop

from gcp_aws_bridge import TokenFile, google
from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge._sts import session_settings
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenError, TokenUnavailable
from gcp_aws_bridge.google._aws_identity import AwsIdentity
from gcp_aws_bridge.policy import cel

from .conftest import ACCOUNT, ASSUMED, ROLE, SHORT, Workload, needs_outbound

EKS = "system:serviceaccount:default:etl"


def trusting(workload: Workload, service: str) -> None:
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service(service))


def keys_of_environment(workload: Workload) -> None:
    workload.keys()


def pod_identity(workload: Workload) -> None:
    workload.pod()


def irsa(workload: Workload) -> None:
    workload.pod("irsa")


def ecs(workload: Workload) -> None:
    trusting(workload, "ecs-tasks.amazonaws.com")
    workload.becomes(workload.cloud.ecs_environ(ROLE))


def ecs_with_a_token(workload: Workload) -> None:
    trusting(workload, "ecs-tasks.amazonaws.com")
    workload.becomes(workload.cloud.ecs_environ(ROLE, "opensesame"))


def ec2(workload: Workload) -> None:
    trusting(workload, "ec2.amazonaws.com")
    workload.becomes(workload.cloud.ec2_environ(ROLE))


def role_of_a_profile(workload: Workload) -> None:
    key = workload.cloud.add_user()
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": key.caller.arn},
            "Action": "sts:AssumeRole",
        },
    }
    workload.cloud.add_role(ROLE, policy)
    (workload.folder / "config").write_text(
        f"[profile etl]\nrole_arn = {ROLE}\nsource_profile = dev\n"
        f"[profile dev]\naws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key}\n"
    )
    workload.becomes(
        {
            "AWS_CONFIG_FILE": str(workload.folder / "config"),
            "AWS_PROFILE": "etl",
            "AWS_ENDPOINT_URL_STS": workload.cloud.sts.url,
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
    )


def credential_process(workload: Workload) -> None:
    trusting(workload, "lambda.amazonaws.com")
    environ = workload.cloud.lambda_environ(ROLE)
    printed = {
        "Version": 1,
        "AccessKeyId": environ["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": environ["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": environ["AWS_SESSION_TOKEN"],
    }
    program = workload.folder / "keys.py"
    program.write_text(f"print({json.dumps(json.dumps(printed))})")
    (workload.folder / "config").write_text(
        f"[default]\ncredential_process = {sys.executable} {program}\nregion = eu-west-1\n"
    )
    workload.becomes({"AWS_CONFIG_FILE": str(workload.folder / "config")})


@pytest.mark.parametrize(
    "become",
    [
        *(keys_of_environment, pod_identity, irsa, ecs, ecs_with_a_token, ec2),
        *(role_of_a_profile, credential_process),
    ],
)
def test_an_aws_identity_is_exchanged(workload: Workload, become: Any) -> None:
    become(workload)
    credentials = workload.credentials()
    assert ACCOUNT == workload.whose(credentials)
    assert (1, 1) == workload.asked


def test_a_signed_request_is_for_one_provider_alone(workload: Workload) -> None:
    """Who is shown one, and puts another provider into it, has a signature of something else."""
    workload.pod()
    other = workload.cloud.add_aws_provider(pool="another").audience
    token = google.SignedRequest()(workload.provider.audience).value
    replaced = token.replace(quote(workload.provider.audience), quote(other))
    assert token != replaced
    answers = {}
    for audience, subject in ((workload.provider.audience, token), (other, replaced)):
        asked = {
            "audience": audience,
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
            "subject_token": subject,
        }
        answer = requests.post(f"{workload.cloud.google_sts.url}/v1/token", data=asked, timeout=20)
        answers[audience] = answer
    assert 200 == answers[workload.provider.audience].status_code
    assert 400 == answers[other].status_code
    assert "SignatureDoesNotMatch" in answers[other].text


def test_without_a_service_account_it_is_the_federated_identity_itself(workload: Workload) -> None:
    credentials = workload.credentials(service_account=None)
    assert workload.provider.principal("etl") == workload.whose(credentials)
    assert (1, 0) == workload.asked


def test_a_session_of_ones_own_signs(workload: Workload) -> None:
    trusting(workload, "lambda.amazonaws.com")
    keys = workload.cloud.lambda_environ(ROLE)
    workload.becomes({})
    session = boto3.Session(
        keys["AWS_ACCESS_KEY_ID"],
        keys["AWS_SECRET_ACCESS_KEY"],
        keys["AWS_SESSION_TOKEN"],
        "eu-central-1",
    )
    assert ACCOUNT == workload.whose(workload.credentials(session=session))
    [request] = workload.cloud.google_sts.requests
    assert "sts.eu-central-1.amazonaws.com" in request.params["subject_token"]


def test_a_session_of_ones_own_signs_where_the_pod_has_a_token_file(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE", str(workload.folder / "of the pod"))
    assert ACCOUNT == workload.whose(workload.credentials(session=boto3.Session()))


def profiles(workload: Workload, *names: str) -> Path:
    """A credentials file with keys of a role for each of them, that of its name."""
    cloud, lines = workload.cloud, []
    for name in names:
        arn = ROLE.replace("etl", name)
        cloud.add_role(arn, cloud.trust_policy_for_service("lambda.amazonaws.com"))
        keys = cloud.lambda_environ(arn)
        lines += [f"[{name}]", f"aws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}"]
        lines += [f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}"]
        lines += [f"aws_session_token = {keys['AWS_SESSION_TOKEN']}"]
    file = workload.folder / "credentials"
    file.touch(0o600)
    file.write_text("\n".join(lines))
    workload.becomes({"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_PROFILE": names[0]})
    return file


def test_another_profile_in_the_environment_is_another_identity(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.provider = workload.cloud.add_aws_provider(pool="all", attribute_mapping=SHORT)
    profiles(workload, "etl", "another")
    first = workload.credentials(service_account=None)
    assert workload.provider.principal("etl") == workload.whose(first)
    monkeypatch.setenv("AWS_PROFILE", "another")
    other = workload.credentials(service_account=None)
    assert workload.provider.principal("another") == workload.whose(other)
    copied = first.with_quota_project("billed")
    assert workload.provider.principal("etl") == workload.whose(copied)


@pytest.mark.parametrize("change", ["AWS_PROFILE", "AWS_ACCESS_KEY_ID"])
def test_what_is_made_for_one_identity_is_not_exchanged_as_another(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    profiles(workload, "etl", "another")
    keys = workload.cloud.lambda_environ(ROLE.replace("etl", "another"))
    first = workload.credentials()
    if change == "AWS_PROFILE":
        monkeypatch.setenv("AWS_PROFILE", "another")
    else:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.setenv(name, keys[name])
    with pytest.raises(RefreshError, match=r"\[token/aws-changed\]"):
        workload.whose(first)
    assert (0, 0) == workload.asked


def test_keys_of_the_environment_may_be_replaced_by_keys_of_the_same_role(
    workload: Workload,
) -> None:
    credentials = workload.credentials()
    workload.keys()
    assert ACCOUNT == workload.whose(credentials)


def test_replaced_keys_sign_many_times_by_one_exchange(workload: Workload) -> None:
    credentials = workload.credentials()
    workload.keys()
    for _ in range(3):
        credentials.sign_bytes(b"a signed URL")
    assert (1, 3) == workload.asked


def test_keys_that_come_into_the_environment_come_first(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_lambda = workload.cloud.lambda_environ(ROLE)
    workload.pod("irsa")
    of_the_pod = AwsIdentity().frozen()
    for name, value in of_lambda.items():
        monkeypatch.setenv(name, value)
    keys = AwsIdentity().frozen()
    assert of_the_pod != keys
    assert os.environ["AWS_ACCESS_KEY_ID"] == keys[0]


def test_another_role_of_irsa_is_another_identity(workload: Workload) -> None:
    workload.provider = workload.cloud.add_aws_provider(pool="all", attribute_mapping=SHORT)
    workload.pod("irsa")
    first = workload.credentials(service_account=None)
    unused = workload.credentials(service_account=None, scopes=["openid"])
    assert workload.provider.principal("etl") == workload.whose(first)
    workload.pod("irsa", "another")
    other = workload.credentials(service_account=None)
    assert workload.provider.principal("another") == workload.whose(other)
    with pytest.raises(RefreshError, match=r"\[token/aws-changed\]"):
        workload.whose(unused)


def test_role_without_a_token_file_is_ignored(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.pod()
    credentials = workload.credentials()
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)  # the other direction's
    assert ACCOUNT == workload.whose(credentials)


@pytest.mark.parametrize("variable", ["HOME", "AWS_PROFILE"])  # in Lambda, programs set HOME
def test_keys_of_the_environment_are_of_the_same_whatever_else_changes(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    credentials = workload.credentials()
    monkeypatch.setenv(variable, "another")
    assert ACCOUNT == workload.whose(credentials)


def test_keys_of_a_file_are_found_whatever_another_thread_does_meanwhile(
    workload: Workload,
) -> None:
    profiles(workload, "etl")
    keys = AwsIdentity().frozen()
    files = {botocore.session.__file__, session_settings.__file__}
    before = sys.gettrace()
    with ThreadPoolExecutor(1) as others:

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line" and frame.f_code.co_filename in files:
                assert keys == others.submit(AwsIdentity().frozen).result(20)
            return trace

        sys.settrace(trace)  # of this thread alone
        try:
            found = AwsIdentity().frozen()
        finally:
            sys.settrace(before)
    assert keys == found


def test_keys_that_a_login_writes_into_the_file_are_used_from_then_on(
    workload: Workload, journey: Journey
) -> None:
    file = profiles(workload, "etl")
    credentials = workload.credentials()
    workload.whose(credentials)
    before = file.read_text()
    profiles(workload, "etl")
    assert before != file.read_text()
    journey.travel(minutes=61)
    workload.whose(credentials)
    first, second = (each.params["subject_token"] for each in workload.cloud.google_sts.requests)
    assert key_id(before) in first
    assert key_id(file.read_text()) in second


def key_id(credentials_file: str) -> str:
    return credentials_file.partition("aws_access_key_id = ")[2].partition("\n")[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_that_is_forked_while_aws_is_asked_does_not_wait_for_it(workload: Workload) -> None:
    """A thread of the parent holds a lock of botocore, which no thread of the child releases."""
    workload.pod("irsa")
    workload.cloud.sts.latency_s = 2.0
    credentials = workload.credentials()
    asking = threading.Thread(target=credentials.refresh)
    asking.start()
    eventually(lambda: bool(workload.cloud.sts.requests))
    pid = os.fork()
    if pid == 0:
        signal.alarm(15)
        with contextlib.suppress(BaseException):
            credentials.refresh()
            os._exit(0)
        os._exit(1)
    asking.join()
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),  # what Lambda and EKS set
        ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-1"}, "eu-west-2"),
        ({}, "us-east-1"),
    ],
)
@pytest.mark.parametrize("session", [None, "botocore's"])
def test_the_region_is_botocores_or_the_platforms_or_any(
    workload: Workload,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    region: str,
    session: Any,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    given = session and botocore.session.get_session()
    wanted = region if given is None else environ.get("AWS_DEFAULT_REGION", "us-east-1")
    assert ACCOUNT == workload.whose(workload.credentials(session=given))
    [request] = workload.cloud.google_sts.requests
    assert f"sts.{wanted}.amazonaws.com" in request.params["subject_token"]


def in_a_process_of_its_own(workload: Workload, more: str = "") -> None:
    program = (
        "import sys\nfrom gcp_aws_bridge import google\n"
        f"c = google.credentials({workload.provider.audience!r}, service_account={ACCOUNT!r})\n"
        f"c.refresh(None)\nassert c.valid\n{more}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert (1, 1) == workload.asked


def test_identity_center_is_exchanged(workload: Workload) -> None:
    """Whose folder of tokens botocore looks up when it is imported."""
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    workload.becomes(Laptop(workload.cloud).sso_profile(ROLE, workload.folder))
    in_a_process_of_its_own(workload)


def test_a_developer_who_used_aws_login_is_exchanged(workload: Workload) -> None:
    pytest.importorskip("awscrt")
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    workload.becomes(Laptop(workload.cloud).login_profile(ROLE, workload.folder))
    in_a_process_of_its_own(workload)


def test_keys_of_the_environment_need_no_botocore(workload: Workload) -> None:
    in_a_process_of_its_own(workload, "assert 'botocore' not in sys.modules")


# -- sources of OIDC tokens --------------------------------------------------------------------


def oidc_provider(workload: Workload, **settings: Any) -> Any:
    from gcp_aws_bridge.emulator.estate import EKS_ISSUER

    provider = workload.cloud.add_google_provider_for_oidc(
        EKS_ISSUER, attribute_condition=f"assertion.sub == '{EKS}'", **settings
    )
    workload.cloud.add_google_service_account(ACCOUNT, [provider.principal(EKS)])
    workload.provider = provider
    return provider


def test_a_token_file_for_the_provider_needs_no_aws_identity(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    provider = oidc_provider(workload)
    workload.becomes({})
    path = workload.folder / "token"
    path.write_text(workload.cloud.eks_token(f"https:{provider.audience}"))
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE", str(path))
    with caplog.at_level(logging.DEBUG, "gcp_aws_bridge"):
        assert ACCOUNT == workload.whose(workload.credentials())
    assert "subject token from OidcToken: GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE" in caplog.text


def test_irsas_file_is_sent_where_it_is_for_the_provider(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = oidc_provider(workload)
    workload.becomes({})
    path = workload.folder / "token"
    path.write_text(workload.cloud.eks_token(provider.audience))
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(path))
    assert ACCOUNT == workload.whose(workload.credentials())


def test_irsas_token_for_aws_is_sent_to_google_only_where_that_is_asked_for(
    workload: Workload, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "gcp_aws_bridge"):
        workload.pod("irsa")
        assert ACCOUNT == workload.whose(workload.credentials())
    assert "subject token from SignedRequest" in caplog.text
    oidc_provider(workload, allowed_audiences=["sts.amazonaws.com"])
    assert ACCOUNT == workload.whose(workload.credentials(source="token-file"))


def test_any_callable_is_a_source(workload: Workload) -> None:
    provider = oidc_provider(workload)
    workload.becomes({})
    made = workload.cloud.eks_token

    def mine() -> str:
        return str(made(f"https:{provider.audience}"))

    assert ACCOUNT == workload.whose(workload.credentials(source=mine))


def outbound(workload: Workload) -> None:
    issuer = workload.cloud.enable_outbound_federation()
    workload.cloud.allow(ROLE, "sts:GetWebIdentityToken")
    provider = workload.cloud.add_google_provider_for_oidc(
        issuer, provider="outbound", attribute_condition=f"assertion.sub == '{ROLE}'"
    )
    workload.cloud.add_google_service_account(ACCOUNT, [provider.principal(ROLE)])
    workload.provider = provider


@pytest.mark.parametrize("become", [keys_of_environment, pod_identity])
def test_aws_signs_a_token_for_google(workload: Workload, become: Any) -> None:
    needs_outbound()
    become(workload)
    outbound(workload)
    assert ACCOUNT == workload.whose(workload.credentials(source="outbound"))
    request = next(r for r in workload.cloud.sts.requests if r.action == "GetWebIdentityToken")
    assert f"https:{workload.provider.audience}" in request.params.values()


def test_an_account_without_outbound_federation_says_so(workload: Workload) -> None:
    needs_outbound()
    with pytest.raises(RefreshError) as caught:
        workload.credentials(source="outbound").refresh(None)
    assert isinstance(caught.value.__cause__, TokenError)
    assert "token/outbound-disabled" == caught.value.__cause__.error_id


def test_a_botocore_that_does_not_know_it_says_so(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = botocore.session.get_session()
    real = session.create_client

    def old(*args: Any, **kwargs: Any) -> Any:
        client = real(*args, **kwargs)
        monkeypatch.delattr(type(client), "get_web_identity_token", raising=False)
        return client

    monkeypatch.setattr(session, "create_client", old)
    with pytest.raises(RefreshError) as caught:
        workload.credentials(source="outbound", session=session).refresh(None)
    assert isinstance(caught.value.__cause__, ConfigError)
    assert "config/outbound" == caught.value.__cause__.error_id


# -- what is refused ----------------------------------------------------------------------------


def refused(credentials: Any) -> Any:
    """Our own error, behind google-auth's."""
    with pytest.raises(Exception, match=r"\[[a-z]+/[a-z-]+\]$") as caught:
        credentials.refresh(None)
    return caught.value.__cause__


def test_no_aws_identity_at_all(workload: Workload, home: Path) -> None:
    workload.becomes({"AWS_EC2_METADATA_DISABLED": "true"})
    error = refused(workload.credentials())
    assert (TokenUnavailable, "token/aws-none") == (type(error), error.error_id)
    assert "EC2" not in str(error)  # which was not asked
    assert (0, 0) == workload.asked


def test_an_instance_whose_metadata_service_comes_late_is_asked_again(
    workload: Workload, journey: Journey
) -> None:
    """Of which botocore says what it says where there is no identity at all."""
    ec2(workload)
    workload.cloud.imds.inject(Fault.reset(), times=None)
    credentials = workload.credentials()
    error = refused(credentials)
    assert "token/aws-none" == error.error_id
    assert "may not have reached" in error.args[0]
    assert "HttpPutResponseHopLimit=2" in error.fix
    workload.cloud.imds.clear_faults()
    journey.travel(seconds=16)
    assert ACCOUNT == workload.whose(credentials)


def test_a_pod_identity_agent_that_is_down_may_come_back(
    workload: Workload, journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.pod()
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    with workload.cloud.pod_identity.down():
        error = refused(workload.credentials())
    assert (TokenError, "token/aws-refused") == (type(error), error.error_id)
    assert error.retryable
    journey.travel(minutes=1)
    assert ACCOUNT == workload.whose(workload.credentials())


def test_an_aws_sts_that_is_down_may_come_back(
    workload: Workload, journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.pod("irsa")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    workload.cloud.sts.inject(Fault.status(503, ""), times=None)
    error = refused(workload.credentials())
    assert ("token/aws-refused", True) == (error.error_id, error.retryable)


def test_what_aws_sts_refuses_is_not_asked_again(workload: Workload, journey: Journey) -> None:
    workload.pod("irsa")
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    error = refused(workload.credentials())
    assert ("token/aws-refused", False) == (error.error_id, error.retryable)
    assert 1 == len(workload.cloud.sts.requests)


@pytest.mark.parametrize(
    "region",
    [
        *("[", "evil.example/", "evil.example#", "evil.example?", "a@evil.example", "a b", "é"),
        *(
            "us-east-1a",
            "US-EAST-1",
            "useast1",
            "us-east-1 ",
            "us_east_1",
            "aws-global",
            "-1",
            "cn-north-1",
            "eusc-de-east-1",
            "us-isob-east-1",
            "a" * 99,
        ),
    ],
)
def test_a_region_that_is_none_is_named_and_nothing_is_signed_for_its_address(
    workload: Workload, journey: Journey, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, region)
    error = refused(workload.credentials())
    assert ("config/google-aws-region", False) == (error.error_id, error.retryable)
    assert (0, 0) == workload.asked
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # the fix
        monkeypatch.setenv(name, "us-east-1")
    journey.travel(minutes=10)
    assert ACCOUNT == workload.whose(workload.credentials())


@pytest.mark.parametrize("missing", ["profile", "program"])
def test_an_aws_identity_that_is_set_up_wrongly_is_named_and_not_tried_again(
    workload: Workload, missing: str
) -> None:
    config = workload.folder / "config"
    config.write_text("[default]\nregion = eu-west-1\ncredential_process = /nowhere/keys\n")
    environ = {"AWS_CONFIG_FILE": str(config)}
    workload.becomes(environ | ({"AWS_PROFILE": "etl"} if missing == "profile" else {}))
    error = refused(workload.credentials())
    assert ("token/aws-refused", False) == (error.error_id, error.retryable)
    assert ("ProfileNotFound" if missing == "profile" else "FileNotFoundError") in str(error)


@pytest.mark.parametrize(
    ("change", "error_id"),
    [
        ("condition", "exchange/google-condition"),
        ("provider", "exchange/google-provider"),
        ("subject", "exchange/google-subject"),
        ("keys", "exchange/google-aws"),
        ("kind", "exchange/google-token"),
        ("binding", "exchange/google-impersonation"),
        ("account", "exchange/google-account"),
    ],
)
def test_each_error_of_google_has_its_fix(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, change: str, error_id: str
) -> None:
    cloud, provider = workload.cloud, workload.provider
    if change == "condition":
        other = "assertion.arn.startsWith('arn:aws:sts::123456789012:assumed-role/other/')"
        workload.provider = cloud.add_aws_provider(pool="aws-pods", attribute_condition=other)
    elif change == "provider":
        cloud.delete_google_pool(provider)
    elif change == "subject":
        workload.pod(role="analytics-orders-publisher-of-production-and-more")
        workload.provider = cloud.add_aws_provider(pool="aws-pods")  # Google's own mapping
    elif change == "keys":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not it")
    elif change == "kind":
        path = workload.folder / "token"
        path.write_text(cloud.eks_token(f"https:{provider.audience}"))
        monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE", str(path))
    elif change == "binding":
        cloud.add_google_service_account(ACCOUNT, [])
    account = "missing@my-project.iam.gserviceaccount.com" if change == "account" else ACCOUNT
    error = refused(workload.credentials(service_account=account))
    assert (ExchangeError, error_id) == (type(error), error.error_id)
    assert error.fix
    assert not error.retryable


def test_a_condition_by_the_roles_arn_keeps_out_a_user_with_a_path_like_it(
    workload: Workload,
) -> None:
    """Whose subject is the role's own, by the mapping of `setup`."""
    cloud = workload.cloud
    eve = cloud.add_user("assumed-role/etl/eve")
    workload.becomes(
        {"AWS_ACCESS_KEY_ID": eve.access_key_id, "AWS_SECRET_ACCESS_KEY": eve.secret_access_key}
    )
    workload.provider = cloud.add_aws_provider(pool="open", attribute_mapping=cel.OF_ROLE)
    found = workload.whose(workload.credentials(service_account=None))
    assert workload.provider.principal("123456789012:etl") == found
    workload.provider = cloud.add_aws_provider(
        pool="closed", attribute_mapping=cel.OF_ROLE, attribute_condition=cel.is_role(ASSUMED)
    )
    error = refused(workload.credentials(service_account=None))
    assert "exchange/google-condition" == error.error_id


def test_a_clock_that_is_wrong_is_blamed(workload: Workload) -> None:
    workload.cloud.clock = lambda: utc_now() + timedelta(hours=1)
    error = refused(workload.credentials())
    assert "exchange/clock" == error.error_id


@pytest.mark.parametrize("source", ["wrong", 5, ""])
def test_what_is_no_source_is_refused(workload: Workload, source: Any) -> None:
    if source == "":
        assert ACCOUNT == workload.whose(workload.credentials(source=source))
        return
    with pytest.raises(ConfigError) as caught:
        workload.credentials(source=source)
    assert "config/google-source" == caught.value.error_id


def test_a_token_file_must_be_named(workload: Workload) -> None:
    with pytest.raises(ConfigError) as caught:
        workload.credentials(source="token-file")
    assert "config/google-source" == caught.value.error_id


def test_a_source_that_raises_is_named_and_not_quoted(workload: Workload) -> None:
    def mine() -> str:
        raise RuntimeError("eyJhbGciOi")

    error = refused(workload.credentials(source=mine))
    assert "token/source-raised" == error.error_id
    assert "mine raised RuntimeError" in str(error)
    assert "eyJ" not in str(error)


# -- the credential configuration file ----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "encoding"), [("aws", "utf-8"), ("file", "utf-8"), ("aws", "utf-8-sig")]
)
def test_the_file_of_gclouds_says_all_of_it(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, source: str, encoding: str
) -> None:
    """Which google-auth's own support for AWS could not read in a pod with Pod Identity."""
    workload.pod()
    path = workload.folder / "token"
    if source == "file":
        oidc_provider(workload)
        path.write_text(workload.cloud.eks_token(f"https:{workload.provider.audience}"))
        document = workload.cloud.external_account(
            workload.provider, ACCOUNT, source="file", file=str(path)
        )
    else:
        document = workload.cloud.external_account(workload.provider, ACCOUNT)
    file = workload.folder / "credentials.json"
    text = json.dumps({**document, "quota_project_id": "billed"})
    file.write_text(text, encoding=encoding)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    for name in ("GCP_AWS_BRIDGE_GOOGLE_STS_URL", "GCP_AWS_BRIDGE_GOOGLE_IAM_URL"):
        monkeypatch.delenv(name)
    credentials = google.credentials()
    assert ACCOUNT == workload.whose(credentials)
    assert "billed" == credentials.quota_project_id


@pytest.mark.parametrize(
    "source",
    [
        *({"executable": {"command": "x"}}, {"url": "http://127.0.0.1/"}, {}, "x", None),
        {"file": "/x", "format": {"type": "json", "subject_token_field_name": "y"}},
    ],
)
def test_a_file_with_a_source_that_is_not_read_here_says_so(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, source: Any
) -> None:
    document = workload.cloud.external_account(workload.provider)
    document |= {"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
    file = workload.folder / "credentials.json"
    file.write_text(json.dumps({**document, "credential_source": source}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(ConfigError) as caught:
        google.credentials()
    assert "config/google-source" == caught.value.error_id


def test_equal_sources_are_one(workload: Workload) -> None:
    path = workload.folder / "token"
    assert google.SignedRequest() == google.SignedRequest(None)
    assert google.OutboundToken() == google.OutboundToken(audience=None)
    oidc_provider(workload)
    path.write_text(workload.cloud.eks_token(f"https:{workload.provider.audience}"))
    for _ in range(3):
        workload.whose(workload.credentials(source=TokenFile(path)))
    assert (1, 1) == workload.asked
