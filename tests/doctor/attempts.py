"""Errors of sessions, of the command line and of the other direction, each with its change."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.session
from botocore.loaders import Loader
from unit.servers import AUDIENCE, Server, answer, id_token

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._settings import metadata_deadline_s
from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge.cli import _parser, _serving, main
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ConfigError

from . import sockets
from .pod import OTHER, ROLE
from .world import Attempt, World, command, fresh, in_file

DATA = Loader.BUILTIN_DATA_PATH
MANAGED = [f"arn:aws:iam::aws:policy/AmazonS3Access{index}" for index in range(10)]
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: etl}
spec:
  containers:
    - name: etl
      image: etl
      env:
        - {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /token/gtoken}
        - {name: AWS_ROLE_ARN, value: "arn:aws:iam::123456789012:role/etl"}
      volumeMounts: [{name: token, mountPath: /token}]
    - name: update
      image: doitintl/gtoken:latest
      volumeMounts: [{name: token, mountPath: /token}]
  volumes: [{name: token, emptyDir: {}}]
"""
SETUP = [
    *("setup", "--non-interactive", "--project=my-project", "--location=europe-west1"),
    *("--cluster=prod", "--namespace=data", "--ksa=etl", "--gsa=etl-runner"),
    *("--aws-account=123456789012", "--role=etl", "--from-pod=FOLDER/pod.yaml"),
]


def credentials(world: World, **settings: Any) -> str:
    """Exchange a token of the emulated Google for the role's credentials."""
    settings = {"token_source": lambda: fresh(world), **settings}
    return bridge.credentials(ROLE, **settings).get_frozen_credentials().access_key


# -- sessions ----------------------------------------------------------------------------------


def without_data(world: World, folder: str | None = None) -> None:
    world.patch.setattr(Loader, "BUILTIN_DATA_PATH", str(world.folder / "botocore.zip/data"))
    if folder is not None:
        world.set(AWS_DATA_PATH=folder)
    Sts(botocore.session.Session(), "us-east-1")


def deadline(text: str | None) -> Attempt:
    def run(world: World) -> None:
        environ = {} if text is None else {"GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS": text}
        metadata_deadline_s(environ, {})

    return run


def behind_tls(world: World, *, authority: bool = False) -> None:
    """Reach STS through a proxy that signs with an authority of its own."""
    with sockets.tls_relay(world.folder, world.cloud.sts.url) as url:
        world.set(AWS_ENDPOINT_URL_STS=url)
        if authority:
            world.set(AWS_CA_BUNDLE=str(world.folder / "authority.pem"))
        credentials(world)


def uses_itself(world: World) -> None:
    found: list[Any] = []
    found.append(bridge.credentials(ROLE, token_source=lambda: found[0].access_key))
    found[0].get_frozen_credentials()


def without_a_loop(world: World) -> None:
    Request.of(ROLE, lambda: fresh(world)).cache().get_async().send(None)


def chained(world: World) -> Any:
    admits = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    world.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [admits]})
    world.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    return Request.of(ROLE, lambda: fresh(world), chain=[OTHER])


def another_sts(world: World) -> None:
    made = chained(world)
    first = Request.of(ROLE, lambda: fresh(world)).cache().get()
    world.set(AWS_ENDPOINT_URL_STS="http://127.0.0.1:1")
    made._exchange._sts.assume_role(first, made.role, 0)


def made_again(world: World) -> None:
    world.set(AWS_ENDPOINT_URL_STS=world.cloud.sts.url)
    chained(world).cache().get()


def source_by_home(world: World) -> Callable[[], str]:
    def own_source() -> str:
        sub = str(len(os.environ["HOME"]))
        return world.cloud.mint(AUDIENCE, sub=sub, azp=sub)

    return own_source


def another_home(world: World) -> None:
    source = Request.of(ROLE, source_by_home(world))._exchange._source.call
    source()
    world.set(HOME=str(world.folder / "another"))
    source()


def raises() -> str:
    raise ValueError("out of tokens")


def clouds_are(**ahead: float) -> Attempt:
    def run(world: World) -> None:
        world.cloud.clock = lambda: datetime.now(timezone.utc) + timedelta(**ahead)
        credentials(world, token_source=lambda: id_token_for(world))

    return run


def id_token_for(world: World) -> str:
    """Return a token that lives by both clocks."""
    now = datetime.now(timezone.utc).timestamp()
    return world.cloud.mint(AUDIENCE, iat=int(now - 7200), exp=int(now + 7200))


def revoked(world: World) -> None:
    fault = Fault.aws_error("ExpiredTokenException", "Token is expired", 400)
    world.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
    credentials(world)


def after_the_revocation(world: World) -> None:
    world.cloud.sts.clear_faults()
    credentials(world)


def session_policy(*arns: str) -> Attempt:
    action = [f"s3:Get{index:04}" for index in range(150)]
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return lambda world: credentials(world, policy=policy, policy_arns=arns)


def of_another_issuer(world: World) -> None:
    with Server(answer(id_token(iss="https://evil.example"))) as server:
        world.set(GCE_METADATA_HOST=server.url.removeprefix("http://"))
        bridge.MetadataServer(AUDIENCE)()


def of_the_metadata_server(world: World) -> None:
    world.set(GCE_METADATA_HOST=world.cloud.environ["GCE_METADATA_HOST"])
    bridge.MetadataServer(AUDIENCE)()


# -- the command line --------------------------------------------------------------------------


def served(*roles: str) -> Attempt:
    def run(world: World) -> None:
        options = _parser(["serve"]).parse_args(["serve"])
        _serving.roles_of(options, roles)

    return run


def executable(*arguments: str) -> Attempt:
    """`google-token --executable`, which prints its errors as google-auth reads them."""

    def run(world: World) -> None:
        provider = world.cloud.add_google_provider_for_oidc(world.cloud.eks_issuer_url)
        world.set(
            GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1",
            GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=provider.audience,
            GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE="urn:ietf:params:oauth:token-type:jwt",
            GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=provider.audience,
            GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE=world.file(
                "projected", world.cloud.eks_token(provider.audiences[0])
            ),
        )
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            main(["google-token", "--executable", *arguments])
        found = json.loads(printed.getvalue())
        if not found["success"]:
            raise ConfigError(found["message"], fix=found["message"], error_id=found["code"])

    return run


# -- the other direction -----------------------------------------------------------------------


def to_google(world: World, region: str = "us-east-1", **settings: Any) -> None:
    provider = world.cloud.add_aws_provider()
    key = world.cloud.add_user()
    world.set(
        AWS_ACCESS_KEY_ID=key.access_key_id,
        AWS_SECRET_ACCESS_KEY=key.secret_access_key,
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
        GCP_AWS_BRIDGE_GOOGLE_STS_URL=f"{world.cloud.google_sts.url}/v1/token",
    )
    google.credentials(provider.audience, **settings).refresh(None)


def broken_transport(*arguments: Any, **options: Any) -> None:
    raise AttributeError("no such method")


FIXED: dict[str, tuple[Attempt, Attempt]] = {
    "config/at-least": (
        lambda world: credentials(world, at_least=-1),
        lambda world: credentials(world, at_least=60),
    ),
    "config/botocore-data": (without_data, lambda world: without_data(world, str(DATA))),
    "config/metadata-deadline": (deadline("soon"), deadline(None)),
    "exchange/tls": (behind_tls, lambda world: behind_tls(world, authority=True)),
    "config/circular": (uses_itself, credentials),
    "config/no-loop": (without_a_loop, credentials),
    "config/environment-changed": (another_sts, made_again),
    "token/environment-changed": (
        another_home,
        lambda world: Request.of(ROLE, source_by_home(world))._exchange._source.call(),
    ),
    "token/source-raised": (lambda world: credentials(world, token_source=raises), credentials),
    "exchange/clock": (clouds_are(hours=-2), clouds_are()),
    "exchange/expired-token": (revoked, after_the_revocation),
    "exchange/policy": (session_policy(*MANAGED), session_policy()),
    "token/issuer": (of_another_issuer, of_the_metadata_server),
    "config/served-twice": (served(ROLE, ROLE), served(f"first={ROLE}", f"second={ROLE}")),
    "config/setup-manifest": (
        in_file("pod.yaml", "a: [", *SETUP),
        in_file("pod.yaml", POD, *SETUP),
    ),
    "config/token-file": (
        command("token", "--file=FOLDER/none/token"),
        lambda world: (
            world.set(**world.cloud.environ),
            command("token", "--file=FOLDER/token")(world),
        ),
    ),
    "config/token-on-command-line": (
        in_file("token", "", "trust-policy", "build", "--token=eyJhbGciOiJub25lIn0.e30.c2ln"),
        lambda world: (
            world.file("token", fresh(world)),
            command("trust-policy", "build", "--token=FOLDER/token")(world),
        ),
    ),
    "config/google-executable": (
        executable("--source=signed-request"),
        executable("--source=token-file"),
    ),
    "config/google-aws-region": (
        lambda world: to_google(world, region="us-east-1a"),
        to_google,
    ),
    "exchange/google-request": (
        lambda world: to_google(world, request=broken_transport),
        to_google,
    ),
}
