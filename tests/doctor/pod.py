"""A working pod of GKE, into which a case puts a fault: emulated clouds, environment, files."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import google.auth.iam
import google.oauth2.credentials
import pytest
from environments import private_key
from moto.server import ThreadedMotoServer
from two_regions import BOTH, REGIONS, data_path, second_sts
from unit.servers import Server, json_answer

from gcp_aws_bridge import policy
from gcp_aws_bridge._tokens import metadata as metadata_source
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.emulator import Emulator, Fault, ServiceAccount
from gcp_aws_bridge.emulator.googleiam import GoogleIdentity
from gcp_aws_bridge.emulator.sts import STS
from gcp_aws_bridge.google._federation import CLOUD_PLATFORM

from . import sockets
from .annotated import Annotated

AUDIENCE = "aws:123456789012:etl"
ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::210987654321:role/target"
NEAR = "arn:aws:iam::123456789012:role/near"
ACCOUNT = "arn:aws:iam::123456789012:root"
PROVIDER = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"


class Machine:
    """The machine of a program: its environment, its files, and servers that misbehave.

    Attributes:
        cloud: Both emulated clouds.
        arguments: Further options of the command line.
        webhook: The pod that the webhook has changed, if any.
    """

    def __init__(
        self, cloud: Emulator, patch: pytest.MonkeyPatch, folder: Path, stack: contextlib.ExitStack
    ) -> None:
        self.cloud = cloud
        self.arguments: list[str] = []
        self.webhook: Annotated | None = None
        self.folder = folder
        self._patch = patch
        self._stack = stack

    def set(self, **variables: str) -> None:
        """Set variables of the environment."""
        for name, value in variables.items():
            self._patch.setenv(name, value)

    def unset(self, *names: str) -> None:
        for name in names:
            self._patch.delenv(name)

    def file(self, name: str, content: str = "") -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return str(path)

    def aws_config(self, content: str) -> None:
        self.set(AWS_CONFIG_FILE=self.file("config", content))

    def clouds_are(self, ahead_s: float) -> None:
        """Move the clocks of both clouds, as if this machine's clock moved the other way."""
        ahead = timedelta(seconds=ahead_s)
        self.cloud.clock = lambda: datetime.now(timezone.utc) + ahead

    def logs_in_to_google(self) -> None:
        """Log in with gcloud, as a user who may act as the service account."""
        cloud, user = self.cloud, "dev@demo-project.iam.gserviceaccount.com"
        ends = datetime.now(timezone.utc) + timedelta(hours=1)
        token = cloud._iam.issue(GoogleIdentity(None, user, frozenset([CLOUD_PLATFORM]), ends))
        granted = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        server = self._stack.enter_context(Server(json_answer(granted)))
        self._patch.setattr(
            google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token"
        )
        for name in ("_IAM_ENDPOINT", "_IAM_IDTOKEN_ENDPOINT"):
            path = getattr(google.auth.iam, name).partition("googleapis.com")[2]
            self._patch.setattr(google.auth.iam, name, cloud.iam_credentials.url + path)
        cloud.add_google_service_account(
            cloud.service_account.email, token_creators=[f"serviceAccount:{user}"]
        )
        login = {"type": "authorized_user", "client_id": "c", "refresh_token": "r"}
        self.set(CLOUDSDK_CONFIG=str(self.folder / "gcloud"))
        self.file(
            "gcloud/application_default_credentials.json",
            json.dumps({**login, "client_secret": "s"}),
        )

    def closed(self) -> str:
        """Return an address that refuses connections."""
        return self._stack.enter_context(sockets.closed())

    def dropping(self) -> str:
        """Return an address that does not answer a SYN."""
        return self._stack.enter_context(sockets.dropping())

    def answering(self, reply: bytes) -> str:
        """Return an address that answers every request with *reply*."""
        return self._stack.enter_context(sockets.answering(reply))

    def resolves(self, host: str, *addresses: tuple[str, int]) -> None:
        """Give *host* these addresses in DNS: IP addresses, each with the port of its server."""
        real = socket.getaddrinfo

        def getaddrinfo(name: Any, port: Any, *others: Any, **named: Any) -> Any:
            if name != host:
                return real(name, port, *others, **named)
            found = [real(address, port, *others, **named) for address, port in addresses]
            return [entry for entries in found for entry in entries]

        self._patch.setattr(socket, "getaddrinfo", getaddrinfo)

    def tls_relay(self, url: str, name: str, address: str) -> int:
        """Return the port at *address* of a server with a certificate for *name*; relays to *url*.

        Its authority is in AWS_CA_BUNDLE.
        """
        at = self._stack.enter_context(
            sockets.tls_relay(self.folder, url, name=name, address=address)
        )
        self.set(AWS_CA_BUNDLE=str(self.folder / "authority.pem"))
        return int(at.rpartition(":")[2])

    def tls(self, **certificate: Any) -> str:
        """Return an HTTPS address, with a certificate of an authority of its own."""
        return self._stack.enter_context(sockets.tls(self.folder, **certificate))


class Pod(Machine):
    """A pod of GKE in which every step works; `ROLE` trusts it."""

    def __init__(
        self, cloud: Emulator, patch: pytest.MonkeyPatch, folder: Path, stack: contextlib.ExitStack
    ) -> None:
        super().__init__(cloud, patch, folder, stack)
        self.regions: dict[str, str] = {}
        self.central: STS | None = None
        cloud.add_role(ROLE)
        self.metadata_at(f"127.0.0.1:{cloud.metadata.port}")
        patch.setattr(machine, "_MOUNTED", str(folder / "mounted"))
        patch.setattr(machine, "_PROC", str(folder / "proc"))
        patch.setattr(metadata_source, "_DMI_PRODUCT", str(folder / "product"))
        self.hardware("Google Compute Engine")
        self.started(3600)
        self.file("mounted/token", _unsigned({"sub": "system:serviceaccount:default:etl"}))
        self.set(
            AWS_ENDPOINT_URL_STS=cloud.sts.url,
            GCP_AWS_BRIDGE_ROLE_ARN=ROLE,
            KUBERNETES_SERVICE_HOST="10.0.0.1",
        )

    # The machine.

    def hardware(self, name: str) -> None:
        """Set the name of the machine in its firmware."""
        self.file("product", name)

    def started(self, seconds_ago: float) -> None:
        """Set the time at which the container started, in /proc."""
        ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
        self.file("proc/uptime", "100000.00 1.00\n")
        since_boot = int((100000 - seconds_ago) * ticks)
        self.file("proc/1/stat", f"1 (a (b) c) S {' '.join(['0'] * 18)} {since_boot} 0 0\n")

    def leaves_google_cloud(self, hardware: str = "20XW ThinkPad") -> None:
        """Leave Google Cloud and Kubernetes."""
        self.hardware(hardware)
        self.unset("KUBERNETES_SERVICE_HOST")
        self.file("mounted/token")
        self.metadata_at(self.closed())

    def annotated(self, *, linked: bool, arn: str = ROLE, **annotations: str) -> Annotated:
        """Have the webhook give the role to this pod, by the cluster's token or the sidecar.

        Args:
            linked: Whether the account is linked to a Google service account, so that there is a
                sidecar.
            arn: The role.
            annotations: Further annotations, with _ for -.
        """
        issuer = self.cloud.add_oidc_provider(PROVIDER, client_ids=(AUDIENCE,))
        if not linked:
            trust = policy.build(
                audience=AUDIENCE,
                issuer=PROVIDER,
                subjects=["system:serviceaccount:default:etl"],
                account_id="123456789012",
            )
            self.cloud.add_role(arn, trust)
        self._patch.delenv("GCP_AWS_BRIDGE_ROLE_ARN")
        found = {"role-arn": arn, "audience": AUDIENCE, "region": "us-east-1"}
        if linked:
            found["iam.gke.io/gcp-service-account"] = self.cloud.service_account.email
            trust = policy.build(
                audience=AUDIENCE, service_accounts=[self.cloud.service_account.unique_id]
            )
            self.cloud.add_role(arn, trust)
        found |= {name.replace("_", "-"): one for name, one in annotations.items()}
        self.webhook = Annotated(self, issuer, {name: one for name, one in found.items() if one})
        return self.webhook

    # Google's side.

    def metadata_at(self, host: str) -> None:
        """Set the server at 169.254.169.254."""
        self._patch.setattr(metadata_source, "_ADDRESS", host)

    def nodes_account(self, hostname: str = "gke-pool-1-abcd") -> None:
        """Have the node's own metadata server answer, with the node's service account."""
        email, number = "123456789012-compute@developer.gserviceaccount.com", "1" * 21
        machine_claims = {"compute_engine": {"project_id": "demo-project", "instance_id": "7"}}
        token = self.cloud.mint(sub=number, azp=number, email=email, google=machine_claims)
        server = Fault("VM", headers=(("Server", "Metadata Server for VM"),))
        for fault, path in (
            (Fault.body(token), "identity"),
            (Fault.body(f"{hostname}.c.demo-project.internal"), "hostname"),
            (Fault.body("cluster-name\nkube-env\n"), "attributes/"),
            (Fault.body(json.dumps({"default": {"email": email}})), "service-accounts/"),
            (server, "project-id"),
        ):
            self.cloud.metadata.inject(fault, times=None, path=path)

    def id_token(self, token: str) -> None:
        """Read the ID token from a file with this content."""
        self.arguments += ["--id-token-file", self.file("id-token", token)]

    def key_file(self, email: str, token_uri: str = "") -> None:
        """Use the key of another service account, which Google exchanges for an ID token."""
        number = ServiceAccount.named(email).unique_id
        token = self.cloud.mint(sub=number, azp=number, email=email)
        server = self._stack.enter_context(Server(json_answer({"id_token": token})))
        key = {
            "type": "service_account",
            "client_email": email,
            "private_key": private_key(),
            "token_uri": token_uri or server.url,
        }
        self.set(GOOGLE_APPLICATION_CREDENTIALS=self.file("key.json", json.dumps(key)))

    # AWS's side.

    def two_regions(self, **urls: str) -> STS:
        """Use STS in two regions; return the second.

        Args:
            urls: Other addresses, as `west` or `central`.
        """
        if self.central is None:
            self.central = self._stack.enter_context(second_sts(self.cloud))
            self.arguments += BOTH
        working = {"west": self.cloud.sts.url, "central": self.central.url}
        self.regions = dict(zip(REGIONS, {**working, **urls}.values(), strict=True))
        folder = self.folder / f"botocore {len([*self.folder.iterdir()])}"  # read once each
        self.set(AWS_DATA_PATH=data_path(folder, self.regions))
        self._patch.delenv("AWS_ENDPOINT_URL_STS", raising=False)
        return self.central

    def trusts(self, *statements: Mapping[str, Any], iam_too: bool = True) -> None:
        """Give the role this trust policy, and let it be read."""
        document = {"Version": "2012-10-17", "Statement": [*statements]}
        self.cloud.add_role(ROLE, document)
        if iam_too:
            self.iam().create_role(RoleName="etl", AssumeRolePolicyDocument=json.dumps(document))

    def chain(
        self, *arguments: str, principal: str = ROLE, actions: Sequence[str] = (), **equals: str
    ) -> None:
        """Chain a role whose trust policy, which can be read, has these conditions."""
        admitted: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal}}
        admitted["Action"] = ["sts:AssumeRole", *actions]
        if equals:
            keys = {f"sts:{name}": value for name, value in equals.items()}
            admitted["Condition"] = {"StringEquals": keys}
        document = {"Version": "2012-10-17", "Statement": [admitted]}
        self.cloud.add_role(NEAR, document)
        self.iam().create_role(RoleName="near", AssumeRolePolicyDocument=json.dumps(document))
        self.arguments += arguments

    def iam(self) -> Any:
        """Return a client of an IAM (moto's) without roles, which keys in the profile can read."""
        url = _iam_url()
        keys = {"aws_access_key_id": "AKIAREADER", "aws_secret_access_key": "reader"}
        self.aws_config(f"[default]\n{''.join(f'{k} = {v}{chr(10)}' for k, v in keys.items())}")
        self.set(AWS_ENDPOINT_URL_IAM=url)
        client = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **keys)
        self._stack.callback(client.close)
        for role in client.list_roles()["Roles"]:
            client.delete_role(RoleName=role["RoleName"])
        return client


_iam_servers: list[ThreadedMotoServer] = []


def _iam_url() -> str:
    """Return the address of the IAM server, starting it first if necessary."""
    if not _iam_servers:
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        _iam_servers.append(server)
    host, port = _iam_servers[0].get_host_and_port()
    return f"http://{host}:{port}"


def stop_iam_server() -> None:
    while _iam_servers:
        _iam_servers.pop().stop()


def statement(account: str = "accounts.google.com", **conditions: str) -> dict[str, Any]:
    """Return a statement with StringEquals on Google's keys `aud`, `oaud`, `sub`."""
    named = {f"accounts.google.com:{key}": value for key, value in conditions.items()}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": account},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": named},
    }


def own_name() -> str:
    return socket.gethostname().partition(".")[0]


def _unsigned(claims: Mapping[str, Any]) -> str:
    parts = [{"alg": "none"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), "c2ln"])
