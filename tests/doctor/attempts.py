"""Errors of sessions, of the command line and of `google`, each with the change that fixes it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.session
import requests
from botocore.loaders import Loader
from setup_runs import GTOKEN_POD
from unit.servers import AUDIENCE, Server, answer, hook, id_token

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google, policy
from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._settings import metadata_deadline_s
from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge.cli import _parser, _serving, main
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ConfigError

from . import sockets
from .environment import Attempt, Environment, command, fresh, in_file
from .pod import OTHER, ROLE

DATA = Loader.BUILTIN_DATA_PATH
MANAGED = [f"arn:aws:iam::aws:policy/AmazonS3Access{index}" for index in range(10)]
INJECTED = """\
apiVersion: v1
kind: Pod
metadata:
  name: etl
  annotations: {"gcp-aws-bridge/role-arn": "ARN", "gcp-aws-bridge/method": "METHOD"}
spec: {containers: [{name: etl, image: etl}]}
"""
SETUP = [
    *("setup", "--non-interactive", "--project=my-project", "--location=europe-west1"),
    *("--cluster=prod", "--namespace=data", "--ksa=etl", "--gsa=etl-runner"),
    *("--aws-account=123456789012", "--role=etl", "--from-pod=FOLDER/pod.yaml"),
]


def credentials(env: Environment, **settings: Any) -> str:
    """Exchange a token of the emulated Google for the role's credentials."""
    settings = {"token_source": lambda: fresh(env), **settings}
    return bridge.credentials(ROLE, **settings).get_frozen_credentials().access_key


def injected(arn: str = ROLE, method: str = "google") -> Attempt:
    """Give a pod with these annotations to `inject`, without an image of the sidecar."""
    text = INJECTED.replace("ARN", arn).replace("METHOD", method)
    return in_file("pod.yaml", text, "inject", "-f", "FOLDER/pod.yaml")


def signed(url: str = "https://api.example/", **changes: Any) -> Attempt:
    """Sign a request for the host api.example."""

    def run(env: Environment) -> None:
        settings = {"service": "execute-api", "region": "eu-west-1", "hosts": ["api.example"]}
        request = {name: changes.pop(name) for name in ("data", "headers") if name in changes}
        signer = bridge.signer(ROLE, token_source=lambda: fresh(env), **settings | changes)
        env.set(AWS_ENDPOINT_URL_STS=env.cloud.sts.url)
        signer(requests.Request("POST", url, **request).prepare())

    return run


# -- sessions ----------------------------------------------------------------------------------


def without_data(env: Environment, folder: str | None = None) -> None:
    env.patch.setattr(Loader, "BUILTIN_DATA_PATH", str(env.folder / "botocore.zip/data"))
    if folder is not None:
        env.set(AWS_DATA_PATH=folder)
    Sts(botocore.session.Session(), "us-east-1")


def deadline(text: str | None) -> Attempt:
    def run(env: Environment) -> None:
        environ = {} if text is None else {"GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS": text}
        metadata_deadline_s(environ, {})

    return run


def behind_tls(env: Environment, *, authority: bool = False) -> None:
    """Reach STS through a proxy that signs with an authority of its own."""
    with sockets.tls_relay(env.folder, env.cloud.sts.url) as url:
        env.set(AWS_ENDPOINT_URL_STS=url)
        if authority:
            env.set(AWS_CA_BUNDLE=str(env.folder / "authority.pem"))
        credentials(env)


def uses_itself(env: Environment) -> None:
    found: list[Any] = []
    found.append(bridge.credentials(ROLE, token_source=lambda: found[0].access_key))
    found[0].get_frozen_credentials()


def without_a_loop(env: Environment) -> None:
    is_over = threading.Event()

    def source() -> str:
        is_over.wait(10)  # an exchange that has ended already needs no event loop
        return fresh(env)

    try:
        Request.of(ROLE, source).cache().get_async().send(None)
    finally:
        is_over.set()


def chained(env: Environment, session: Any = None) -> Any:
    admits = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    env.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [admits]})
    env.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    return Request.of(ROLE, lambda: fresh(env), session=session, chain=[OTHER])


def chained_with(**tags: str) -> Attempt:
    """Chain from a session whose token has a transitive tag, with these tags."""

    def run(env: Environment) -> None:
        account = env.cloud.service_account.unique_id
        trust = policy.build(audience=AUDIENCE, service_accounts=[account])
        trust["Statement"][0]["Action"] = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
        env.cloud.add_role(ROLE, trust)
        admits = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:*"}
        env.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [admits]})
        for action in ("sts:AssumeRole", "sts:TagSession"):
            env.cloud.allow(ROLE, action, on=OTHER)
        claim = {"principal_tags": {"tenant": ["acme"]}, "transitive_tag_keys": ["tenant"]}
        token = env.cloud.mint(AUDIENCE, **{"https://aws.amazon.com/tags": claim})
        chain = [bridge.ChainedRole(OTHER, tags=tags)]
        Request.of(ROLE, lambda: token, chain=chain).cache().get()

    return run


def another_sts(env: Environment) -> None:
    # Only botocore's client, which a session with hooks uses, reads the environment again.
    made = chained(env, session=hook(botocore.session.Session()))
    first = Request.of(ROLE, lambda: fresh(env)).cache().get()
    env.set(AWS_ENDPOINT_URL_STS="http://127.0.0.1:1")
    made._exchange._sts.assume_role(first, made.role, 0)


def with_first_sts(env: Environment) -> None:
    env.set(AWS_ENDPOINT_URL_STS=env.cloud.sts.url)
    chained(env).cache().get()


def source_by_home(env: Environment) -> Callable[[], str]:
    def own_source() -> str:
        sub = str(len(os.environ["HOME"]))
        return env.cloud.mint(AUDIENCE, sub=sub, azp=sub)

    return own_source


def another_home(env: Environment) -> None:
    source = Request.of(ROLE, source_by_home(env))._exchange._source.call
    source()
    env.set(HOME=str(env.folder / "another"))
    source()


def raises() -> str:
    raise ValueError("out of tokens")


def clouds_are(**ahead: float) -> Attempt:
    def run(env: Environment) -> None:
        env.cloud.clock = lambda: datetime.now(timezone.utc) + timedelta(**ahead)
        credentials(env, token_source=lambda: id_token_for(env))

    return run


def id_token_for(env: Environment) -> str:
    """Return a token that is valid by both clocks."""
    now = datetime.now(timezone.utc).timestamp()
    return env.cloud.mint(AUDIENCE, iat=int(now - 7200), exp=int(now + 7200))


def revoked(env: Environment) -> None:
    fault = Fault.aws_error("ExpiredTokenException", "Token is expired", 400)
    env.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
    credentials(env)


def after_the_revocation(env: Environment) -> None:
    env.cloud.sts.clear_faults()
    credentials(env)


def session_policy(*arns: str) -> Attempt:
    action = [f"s3:Get{index:04}" for index in range(150)]
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return lambda env: credentials(env, policy=document, policy_arns=arns)


def of_another_issuer(env: Environment) -> None:
    with Server(answer(id_token(iss="https://evil.example"))) as server:
        env.set(GCE_METADATA_HOST=server.url.removeprefix("http://"))
        bridge.MetadataServer(AUDIENCE)()


def of_the_metadata_server(env: Environment) -> None:
    env.set(GCE_METADATA_HOST=env.cloud.environ["GCE_METADATA_HOST"])
    bridge.MetadataServer(AUDIENCE)()


# -- the command line --------------------------------------------------------------------------


def served(*roles: str) -> Attempt:
    def run(env: Environment) -> None:
        options = _parser(["serve"]).parse_args(["serve"])
        _serving.caches_of(options, roles)

    return run


def executable(*arguments: str) -> Attempt:
    """Return an attempt with `google-token --executable`, whose errors google-auth reads."""

    def run(env: Environment) -> None:
        provider = env.cloud.add_google_provider_for_oidc(env.cloud.eks_issuer_url)
        env.set(
            GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1",
            GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=provider.audience,
            GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE="urn:ietf:params:oauth:token-type:jwt",
            GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=provider.audience,
            GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE=env.file(
                "projected", env.cloud.eks_token(provider.audiences[0])
            ),
        )
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            main(["google-token", "--executable", *arguments])
        found = json.loads(printed.getvalue())
        if not found["success"]:
            raise ConfigError(found["message"], fix=found["message"], error_id=found["code"])

    return run


# -- from AWS to Google -----------------------------------------------------------------------


def to_google(env: Environment, region: str = "us-east-1", **settings: Any) -> None:
    provider = env.cloud.add_aws_provider()
    key = env.cloud.add_user()
    env.set(
        AWS_ACCESS_KEY_ID=key.access_key_id,
        AWS_SECRET_ACCESS_KEY=key.secret_access_key,
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
        GCP_AWS_BRIDGE_GOOGLE_STS_URL=f"{env.cloud.google_sts.url}/v1/token",
    )
    google.credentials(provider.audience, **settings).refresh(None)


def broken_transport(*arguments: Any, **options: Any) -> None:
    raise AttributeError("no such method")


FIXED: dict[str, tuple[Attempt, Attempt]] = {
    "config/at-least": (
        lambda env: credentials(env, at_least=-1),
        lambda env: credentials(env, at_least=60),
    ),
    "config/botocore-data": (without_data, lambda env: without_data(env, str(DATA))),
    "config/metadata-deadline": (deadline("soon"), deadline(None)),
    "exchange/tls": (behind_tls, lambda env: behind_tls(env, authority=True)),
    "config/circular": (uses_itself, credentials),
    "config/no-loop": (without_a_loop, credentials),
    "config/environment-changed": (another_sts, with_first_sts),
    "token/environment-changed": (
        another_home,
        lambda env: Request.of(ROLE, source_by_home(env))._exchange._source.call(),
    ),
    "token/source-raised": (lambda env: credentials(env, token_source=raises), credentials),
    "exchange/clock": (clouds_are(hours=-2), clouds_are()),
    "exchange/expired-token": (revoked, after_the_revocation),
    "exchange/inherited": (chained_with(Tenant="acme"), chained_with(stage="prod")),
    "exchange/policy": (session_policy(*MANAGED), session_policy()),
    "token/issuer": (of_another_issuer, of_the_metadata_server),
    "config/host-not-allowed": (signed("https://other.example/"), signed()),
    "config/signer-hosts": (signed(hosts=["https://api.example"]), signed(hosts=["api.example"])),
    "config/signer-plain-http": (signed("http://api.example/"), signed("https://api.example/")),
    "config/signer-scope": (signed(region="EU"), signed(region="eu-west-1")),
    "config/signed-body": (signed(data=iter([b"a", b"b"])), signed(data=b"ab")),
    "config/signed-header": (
        signed(headers={"X-Amz-Tag": "\u00e9"}),
        signed(headers={"X-Amz-Tag": "%C3%A9"}),
    ),
    "config/served-twice": (served(ROLE, ROLE), served(f"first={ROLE}", f"second={ROLE}")),
    "config/annotation": (injected(arn="etl"), injected(method="cluster-token")),
    "config/inject-image": (injected(), injected(method="cluster-token")),
    "config/setup-manifest": (
        in_file("pod.yaml", "a: [", *SETUP),
        in_file("pod.yaml", GTOKEN_POD, *SETUP),
    ),
    "config/token-file": (
        command("token", "--file=FOLDER/none/token"),
        lambda env: (
            env.set(**env.cloud.environ),
            command("token", "--file=FOLDER/token")(env),
        ),
    ),
    "config/token-on-command-line": (
        in_file("token", "", "trust-policy", "build", "--token=eyJhbGciOiJub25lIn0.e30.c2ln"),
        lambda env: (
            env.file("token", fresh(env)),
            command("trust-policy", "build", "--token=FOLDER/token")(env),
        ),
    ),
    "config/google-executable": (
        executable("--source=signed-request"),
        executable("--source=token-file"),
    ),
    "config/google-aws-region": (
        lambda env: to_google(env, region="us-east-1a"),
        to_google,
    ),
    "exchange/google-request": (
        lambda env: to_google(env, request=broken_transport),
        to_google,
    ),
}
