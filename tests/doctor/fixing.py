"""Apply what a finding says: its commands by an interpreter, its other changes by hand.

Each command is read as a shell reads it (`shlex`), and changes the emulator, a file or the
environment as it would change the clouds. A command that is not known here fails the test.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .pod import OTHER, PROVIDER, ROLE, Machine, Pod
from .table import Case
from .workload import EMAIL, Workload
from .workload import ROLE as ON_AWS

Report = Mapping[str, Any]
# A command, after the words that some lines have before it.
_COMMAND = re.compile(
    r"(?:(?P<instead>or)(?: [\w ]+:)? |[\w ]+: )?"
    r"(?P<command>(?:aws|gcloud|kubectl) .+|(?:unset|export) [A-Z].+|remove \w+ .+)"
)
_LOOKING = re.compile(r"(get|list|describe|logs)(-[\w-]+)?|get-caller-identity")
# Words after a command, in the same line.
_PROSE = re.compile(r", (?:or|so|and|once) ")

# What no test applies: by the id, or by the name of the case.
NOT_APPLIED = {
    **dict.fromkeys(
        (
            *("exchange/region", "doctor/aws-signed-out", "doctor/google-perimeter"),
            *("token/aws-none", "doctor/not-google-cloud", "place-laptop-login"),
        ),
        "a person must sign in or choose, in a browser, a console or on another machine",
    ),
    **dict.fromkeys(
        (
            *("doctor/no-such-role", "doctor/google-no-account", "exchange/google-provider"),
            *("config/google-file", "google-settings-file-executable"),
            "token-federated-without-account",
        ),
        "only the reader knows which name is meant, so that the fix is a list to choose from",
    ),
    **dict.fromkeys(
        (
            *("token/aws-refused", "token/metadata-refused", "doctor/container-endpoint"),
            *("exchange/refused", "exchange-forged", "google-exchange-forged"),
            *("google-exchange-format", "doctor/aws-timeout", "exchange/timeout"),
        ),
        "the fix is to look at logs, or at what gave the keys or the token",
    ),
    **dict.fromkeys(
        (
            "doctor/token-timeout",
            "token/google-unreachable",
            "sts-tls-expired",
            "sts-tls-another-host",
        ),
        "Google's real servers, or a server's certificate, would have to be changed",
    ),
}


def name_of(case: Case) -> str:
    """The name of a case, which is one of both directions'."""
    return f"{'google-' if case.direction.options else ''}{case.name}"


def reason(case: Case) -> str:
    """Why no test applies the fix of this case; empty where one does."""
    return NOT_APPLIED.get(name_of(case)) or NOT_APPLIED.get(case.named, "")


def apply(place: Machine, name: str, finding: Report) -> None:
    """Do what *finding* says, the cause that was named; first of all in the case *name*."""
    change = _CHANGES.get(name) or _CHANGES.get(finding["id"])
    commands = Commands(place, finding)
    for line in finding["fix"].splitlines():
        commands.run(line)
    if change is not None:
        words = _SAYS[name if name in _SAYS else finding["id"]]
        assert words in finding["fix"], finding["fix"]
        change(place)
    assert commands.changed or change, f"nothing to apply: {finding['fix']}"


class Commands:
    """The commands of one finding.

    Attributes:
        changed: Whether one of them changed something.
    """

    def __init__(self, place: Machine, finding: Report) -> None:
        self.changed = False
        self._place = place
        self._finding = finding
        self._annotated = self._bound = ""

    def run(self, line: str) -> None:
        """Run the command in a line; a line without one is for the reader."""
        found = _COMMAND.fullmatch(line)
        if found is None or (found["instead"] and self.changed):
            return
        command = found["command"]
        words = shlex.split(command if "'" in command else _PROSE.split(command)[0])
        for prefix, effect in _EFFECTS.items():
            if tuple(words[: len(prefix)]) == prefix:
                effect(self, words[len(prefix) :])
                self.changed = True
                return
        assert any(_LOOKING.fullmatch(word) for word in words), f"not known: {line}"

    # The environment and files.

    def unset(self, names: list[str]) -> None:
        for name in names:
            self._place._patch.delenv(name, raising=False)
        if "GCE_METADATA_HOST" in names and isinstance(self._place, Pod):
            self._place.metadata_at(f"127.0.0.1:{self._place.cloud.metadata.port}")

    def export(self, pairs: list[str]) -> None:
        self._place.set(**dict(pair.split("=", 1) for pair in pairs))

    def remove(self, words: list[str]) -> None:
        """`remove KEY and KEY from [SECTION] in FILE`, which a person does in an editor."""
        text = " ".join(words)
        keys, _, rest = text.partition(" from ")
        section, _, path = rest.partition(" in ")
        kept, at = [], ""
        for row in Path(path).read_text().splitlines():
            at = row if row.startswith("[") else at
            if at != section or row.partition("=")[0].strip() not in keys.split(" and "):
                kept.append(row)
        Path(path).write_text("\n".join(kept) + "\n")

    def configure(self, words: list[str]) -> None:
        """`aws configure set KEY VALUE --profile NAME`, on the file of AWS_CONFIG_FILE."""
        key, value, _, profile = words
        path = Path(os.environ["AWS_CONFIG_FILE"])
        heading = f"[profile {profile}]"
        text = path.read_text()
        assert heading in text
        path.write_text(text.replace(heading, f"{heading}\n{key} = {value}"))

    # AWS.

    def trust(self, words: list[str]) -> None:
        options = options_of(words)
        text = options["--policy-document"]
        document = json.loads(self._finding["wanted"] if text.startswith("file://") else text)
        if "Statement" not in document:
            document = {"Version": "2012-10-17", "Statement": [document]}
        roles = {arn.rpartition("/")[2]: arn for arn in (OTHER, ROLE, ON_AWS)}
        self._place.cloud.add_role(roles.get(options["--role-name"], ON_AWS), document)

    def delete_provider(self, words: list[str]) -> None:
        arn = options_of(words)["--open-id-connect-provider-arn"]
        issuer = f"https://{arn.partition('oidc-provider/')[2]}"
        del self._place.cloud._accounts._providers[arn.split(":")[4], issuer]

    def create_provider(self, words: list[str]) -> None:
        options = options_of(words)
        clients = (options["--client-id-list"],)
        self._place.cloud.add_oidc_provider(options["--url"], client_ids=clients)

    def associate(self, words: list[str]) -> None:
        self._place.cloud.pod_identity.associate("default", "etl", ON_AWS)
        workload(self._place).runs_on("eks")

    def metadata_options(self, words: list[str]) -> None:
        assert {"--http-put-response-hop-limit", "--http-endpoint"} & {*words}
        self._place.cloud.imds.clear_faults()

    def instance_profile(self, words: list[str]) -> None:
        self._place.cloud.imds.role_arn = ON_AWS

    def role_policy(self, words: list[str]) -> None:
        policy = json.loads(options_of(words)["--policy-document"])
        assert "sts:GetWebIdentityToken" in json.dumps(policy)
        self._place.cloud.sts.clear_faults()

    def outbound(self, words: list[str]) -> None:
        workload(self._place).outbound()

    # Google Cloud and Kubernetes.

    def annotate(self, words: list[str]) -> None:
        name, _, namespace, annotation = words
        key, _, self._annotated = annotation.partition("=")
        assert ("etl", "default", "iam.gke.io/gcp-service-account") == (name, namespace, key)
        self._link()

    def bind(self, words: list[str]) -> None:
        email, *rest = words
        options = options_of(rest)
        assert "roles/iam.workloadIdentityUser" == options["--role"]
        if isinstance(self._place, Workload):
            found = self._place.cloud._iam.account(email)
            held = dict(found.bindings).get(options["--role"], ()) if found else ()
            self._place.cloud.add_google_service_account(email, [*held, options["--member"]])
            return
        account = self._place.cloud.service_account
        member = options["--member"].replace("SUBJECT", "system:serviceaccount:default:etl")
        if member.startswith("principal://"):
            self._place.cloud.add_google_service_account(email, [member])
            return
        pod = f"{account.namespace}/{account.kubernetes_name}"
        pools = {account.workload_pool, "demo-project.example.com.svc.id.goog"}
        assert member in {f"serviceAccount:{pool}[{pod}]" for pool in pools}
        assert ":" not in options["--project"] or "@demo-project.example.com.iam." in email
        self._bound = email
        self._link()

    def _link(self) -> None:
        """Both halves, of one account; a pod that is annotated already lacks the second alone."""
        linked = self._annotated or (self._finding["id"] == "doctor/not-bound")
        if self._bound and linked in (True, self._bound):
            self._place.cloud.metadata.linked = True
            self._place.cloud.metadata.clear_faults()

    def node_pool(self, words: list[str]) -> None:
        assert "--workload-metadata=GKE_METADATA" in words
        self._place.cloud.metadata.clear_faults()

    def instance_account(self, words: list[str]) -> None:
        assert options_of(words[1:])["--service-account"].endswith(".iam.gserviceaccount.com")
        self._place.cloud.metadata.clear_faults()

    def enable(self, words: list[str]) -> None:
        assert "iamcredentials.googleapis.com" == words[0]
        self._place.cloud.iam_credentials.clear_faults()

    def update_provider(self, words: list[str]) -> None:
        at, options = workload(self._place), options_of(words[1:])
        assert words[0] in at.provider.audience
        given: dict[str, Any] = dict(at.settings)
        if condition := options.get("--attribute-condition"):
            given["attribute_condition"] = condition
        if mapping := options.get("--attribute-mapping"):
            given["attribute_mapping"] = dict(one.split("=", 1) for one in mapping.split(","))
        if account := options.get("--account-id"):
            given["account"] = account
        if audiences := options.get("--allowed-audiences"):
            given["allowed_audiences"] = audiences.split(",")
        if issuer := options.get("--issuer-uri"):
            given["issuer"] = issuer
        if path := options.get("--jwk-json-path"):
            assert "jwks.json" == path
        if at.provider.aws_account is not None:
            at.aws_provider(**given)
        else:
            at.oidc_provider(**given)

    def restart(self, words: list[str]) -> None:
        """A pod that is deleted is created again, with fresh variables and files."""
        how = "irsa" if "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ else "eks"
        workload(self._place).runs_on(how)

    def nothing(self, words: list[str]) -> None:
        """A step of a change that has no effect here by itself."""


_PROVIDERS = ("gcloud", "iam", "workload-identity-pools", "providers")
_EFFECTS: dict[tuple[str, ...], Callable[[Commands, list[str]], None]] = {
    ("unset",): Commands.unset,
    ("export",): Commands.export,
    ("remove",): Commands.remove,
    ("aws", "configure", "set"): Commands.configure,
    ("aws", "iam", "update-assume-role-policy"): Commands.trust,
    ("aws", "iam", "delete-open-id-connect-provider"): Commands.delete_provider,
    ("aws", "iam", "create-open-id-connect-provider"): Commands.create_provider,
    ("aws", "iam", "put-role-policy"): Commands.role_policy,
    ("aws", "iam", "enable-outbound-web-identity-federation"): Commands.outbound,
    ("aws", "eks", "create-pod-identity-association"): Commands.associate,
    ("aws", "ec2", "modify-instance-metadata-options"): Commands.metadata_options,
    ("aws", "ec2", "associate-iam-instance-profile"): Commands.instance_profile,
    ("kubectl", "annotate", "serviceaccount"): Commands.annotate,
    ("kubectl", "delete", "pod"): Commands.restart,
    ("kubectl", "-n", "kube-system", "delete", "pod"): Commands.nothing,
    ("aws", "iam", "delete-access-key"): Commands.nothing,
    ("kubectl", "-n", "default", "rollout", "restart"): Commands.nothing,
    ("gcloud", "iam", "service-accounts", "add-iam-policy-binding"): Commands.bind,
    ("gcloud", "container", "node-pools", "update"): Commands.node_pool,
    ("gcloud", "compute", "instances", "set-service-account"): Commands.instance_account,
    ("gcloud", "compute", "instances", "stop"): Commands.nothing,
    ("gcloud", "compute", "instances", "start"): Commands.nothing,
    ("gcloud", "services", "enable"): Commands.enable,
    (*_PROVIDERS, "update-aws"): Commands.update_provider,
    (*_PROVIDERS, "update-oidc"): Commands.update_provider,
}


def options_of(words: list[str]) -> dict[str, str]:
    """Options with their values, `--a=b` or `--a b`."""
    found, at = {}, 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        assert name.startswith("--"), words
        if not equals:
            at += 1
            value = words[at]
        found[name] = value
        at += 1
    return found


def workload(place: Machine) -> Workload:
    assert isinstance(place, Workload)
    return place


# -- changes that are no commands --------------------------------------------------------------


def _arguments_without(*names: str) -> Callable[[Machine], None]:
    def change(place: Machine) -> None:
        kept = iter(place.arguments)
        place.arguments = [
            word
            for name in kept
            for word in ([name, next(kept)] if name not in names else (next(kept), ())[1])
        ]

    return change


def _variables(**values: str) -> Callable[[Machine], None]:
    return lambda place: place.set(**values)


def _without(*names: str) -> Callable[[Machine], None]:
    def change(place: Machine) -> None:
        for name in names:
            place._patch.delenv(name, raising=False)

    return change


def _clock(place: Machine) -> None:
    place.clouds_are(0)


def _no_faults(place: Machine) -> None:
    for service in place.cloud._services():
        service.clear_faults()


def _fresh_token(place: Machine) -> None:
    if isinstance(place, Pod):
        place.file("id-token", place.cloud.mint())
        if "--id-token-file" in place.arguments:
            at = place.arguments.index("--id-token-file") + 1
            place.arguments[at] = str(place.folder / "id-token")
    else:
        workload(place).token_file()


def _right_sts(place: Machine) -> None:
    place.set(AWS_ENDPOINT_URL_STS=place.cloud.sts.url)


def _minute_later(place: Machine) -> None:
    assert isinstance(place, Pod)
    place.started(60)
    place.metadata_at(f"127.0.0.1:{place.cloud.metadata.port}")
    place.cloud.metadata.clear_faults()


def _admit_hop(place: Machine) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    place.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [statement]})


def _right_audience(place: Machine) -> None:
    place.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=workload(place).provider.audience)


def _right_url(place: Machine) -> None:
    path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    url = f"{place.cloud.google_sts.url}/v1/token"
    path.write_text(json.dumps({**json.loads(path.read_text()), "token_url": url}))


def _to_the_node_of_aws(place: Machine) -> None:
    place._patch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", raising=False)
    workload(place).runs_on("eks")


def _network(place: Machine) -> None:
    """The network lets pass what the fix names: firewall, mesh, proxy, name server."""
    _no_faults(place)
    _right_sts(place)
    _without("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "REQUESTS_CA_BUNDLE")(place)
    _without("AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_REGION")(place)
    if isinstance(place, Pod):
        place.metadata_at(f"127.0.0.1:{place.cloud.metadata.port}")
    else:
        workload(place).google_at(place.cloud.google_sts.url, place.cloud.iam_credentials.url)


def _agent(place: Machine) -> None:
    _no_faults(place)
    workload(place).runs_on("eks")


_CHANGES: dict[str, Callable[[Machine], None]] = {
    **dict.fromkeys(
        (
            *("doctor/metadata-blocked", "doctor/metadata-closed", "doctor/metadata-cut"),
            *("doctor/metadata-forwarded", "token/not-google", "exchange/garbage"),
            *("doctor/sts-blocked", "doctor/sts-closed", "doctor/sts-cut", "doctor/sts-dns"),
            *("doctor/sts-proxy", "doctor/sts-silent", "doctor/sts-tls", "exchange/unreachable"),
            *("doctor/google-blocked", "doctor/google-closed", "doctor/google-dns"),
            *("doctor/google-proxy", "doctor/google-silent", "doctor/google-tls"),
            *("exchange/google-answer", "exchange/google-unreachable", "doctor/subject-timeout"),
        ),
        _network,
    ),
    "doctor/pod-identity-agent": _agent,
    "exchange/unavailable": _no_faults,
    "exchange-keys-unreachable": _no_faults,
    "token/metadata-not-ready": _no_faults,
    "exchange/google-token": _no_faults,
    "exchange/google-impersonation": _no_faults,
    "exchange/google-aws": _no_faults,
    "token-empty": _no_faults,
    "doctor/host-network": lambda place: place.cloud.metadata.clear_faults(),
    "doctor/clock": _clock,
    "doctor/metadata-clock": lambda place: place.cloud.metadata.clear_faults(),
    "doctor/sts-clock": _no_faults,
    "doctor/google-clock": _no_faults,
    "exchange/duration": _arguments_without("--duration-seconds"),
    "hops-duration": _no_faults,
    "exchange-cluster-unknown": lambda place: place.cloud.add_oidc_provider(PROVIDER),
    "exchange/hop": _admit_hop,
    "doctor/not-the-role": lambda place: place.cloud.add_role(ROLE),
    "doctor/somebody-else": _no_faults,
    "doctor/new-pod": _minute_later,
    "config/metadata-host": _without("GCE_METADATA_HOST"),
    "config/role-arn": _variables(GCP_AWS_BRIDGE_ROLE_ARN=ROLE),
    "doctor/config-file": lambda place: place.aws_config("[default]\n"),
    "config/duration": _variables(GCP_AWS_BRIDGE_DURATION_SECONDS="900"),
    "config/chain-duration": _arguments_without("--chain"),
    "config/profile": _without("AWS_PROFILE"),
    "settings-no-such-profile": _arguments_without("--profile"),
    "config/session-name": _without("AWS_ROLE_SESSION_NAME"),
    "doctor/web-identity-variables": _variables(GCP_AWS_BRIDGE_ROLE_ARN=ROLE),
    "config/sts-client": _right_sts,
    "google-sts-region-of-a-zone": _variables(
        AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1"
    ),
    "config/sts-plain-http": _right_sts,
    "token/audience": _fresh_token,
    "token/malformed": _fresh_token,
    "token/expired": _fresh_token,
    "token/clock": _fresh_token,
    "token/file-missing": _fresh_token,
    "token/google-file": _without("GOOGLE_APPLICATION_CREDENTIALS"),
    # Google.
    "doctor/google-lifetime": _arguments_without("--lifetime-seconds"),
    "config/google-setting": _arguments_without("--lifetime-seconds"),
    "doctor/container-address": _to_the_node_of_aws,
    "doctor/aws-keys": lambda place: None,
    "doctor/aws-long-lived-keys": _without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "doctor/instance-role": lambda place: place.cloud.add_role(
        ON_AWS, place.cloud.trust_policy_for_service("ec2.amazonaws.com")
    ),
    "doctor/subject-audience": _fresh_token,
    "doctor/google-stale": _no_faults,
    "doctor/google-issuer-keys": _fresh_token,
    "google-exchange-signed-request-to-oidc": _fresh_token,
    "google-exchange-token-to-aws": lambda place: place.arguments.extend(
        ["--source", "signed-request"]
    ),
    "config/google-audience": _right_audience,
    "config/google-none": _right_audience,
    "config/google-service-account": _variables(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT=EMAIL),
    "google-settings-no-token-file": lambda place: (
        workload(place).oidc_provider(),
        workload(place).token_file(),
    )[0],
    "google-settings-source": _variables(GCP_AWS_BRIDGE_GOOGLE_SOURCE="signed-request"),
    "config/google-plain-http": _right_url,
}

# The words by which a person comes to make that change.
_SAYS = {
    "doctor/metadata-blocked": "allow egress to 169.254.169.254/32 port 80",
    "doctor/metadata-closed": "kubectl -n kube-system delete pod NAME",
    "doctor/metadata-cut": "keep 169.254.169.254/32 out of the mesh",
    "doctor/metadata-forwarded": "keep 169.254.169.254/32 out of the mesh",
    "token/not-google": "take what answers out of the way of 169.254.169.254",
    "exchange/garbage": "proxies on the way",
    "doctor/sts-blocked": "allow egress to port 443 of",
    "doctor/sts-closed": "look at the address (AWS_ENDPOINT_URL_STS) and at the routes",
    "doctor/sts-cut": "let it pass the firewall or proxy",
    "doctor/sts-dns": "egress to kube-dns, port 53",
    "doctor/sts-proxy": "export NO_PROXY=",
    "doctor/sts-silent": "let it pass the firewall or proxy",
    "doctor/sts-tls": "AWS_CA_BUNDLE",
    "exchange/unreachable": "check DNS, egress rules (port 443) and proxy settings",
    "doctor/google-blocked": "allow egress to port 443 of",
    "doctor/google-closed": "look at firewalls that read names in TLS",
    "doctor/google-dns": "egress to kube-dns, port 53",
    "doctor/google-proxy": "export NO_PROXY=",
    "doctor/google-silent": "gcp-aws-bridge doctor --timeout 10",
    "doctor/google-tls": "REQUESTS_CA_BUNDLE",
    "exchange/google-answer": "look at proxies on the way",
    "exchange/google-unreachable": "check DNS, egress rules and proxy settings",
    "doctor/subject-timeout": "gcp-aws-bridge doctor --timeout 10",
    "doctor/pod-identity-agent": "allow egress to 169.254.170.23/32 port 80",
    "exchange/unavailable": "look at AWS_ENDPOINT_URL_STS and at proxies on the way",
    "exchange-keys-unreachable": "wait; it is retried",
    "token/metadata-not-ready": "gke-metadata-server",
    "exchange/google-token": "wait, and try again",
    "exchange/google-impersonation": "wait, and try again",
    "exchange/google-aws": "aws sts get-caller-identity --region us-east-1",
    "token-empty": "look at what the source returns",
    "doctor/host-network": "take hostNetwork: true out of the pod",
    "doctor/clock": "set the clock by NTP: sudo chronyc makestep",
    "doctor/metadata-clock": "on the pod's node: date -u; sudo chronyc makestep",
    "doctor/sts-clock": "let requests pass the proxy that answers from a cache",
    "doctor/google-clock": "let requests pass the proxy that answers from a cache",
    "exchange/duration": "ask for less",
    "hops-duration": "raise the role's maximum session duration",
    "exchange-cluster-unknown": "check that AWS trusts this issuer",
    "exchange/hop": "that role as AWS principal in the trust policy of",
    "doctor/not-the-role": "try again in a minute",
    "doctor/somebody-else": "look at AWS_ENDPOINT_URL_STS",
    "doctor/new-pod": "try again in half a minute",
    "config/metadata-host": "unset it on Google Cloud",
    "config/role-arn": "give a role ARN such as",
    "doctor/config-file": "set AWS_CONFIG_FILE to another",
    "config/duration": "set GCP_AWS_BRIDGE_DURATION_SECONDS to 900 or more",
    "config/chain-duration": "let the first role do the work itself",
    "config/profile": "AWS_PROFILE",
    "settings-no-such-profile": "--profile",
    "config/session-name": "leave it out",
    "doctor/web-identity-variables": "set GCP_AWS_BRIDGE_ROLE_ARN",
    "config/sts-client": "AWS_ENDPOINT_URL_STS",
    "google-sts-region-of-a-zone": "region",
    "config/sts-plain-http": "unset AWS_ENDPOINT_URL_STS",
    "token/audience": "make the audience of the token source and of the role the same",
    "token/malformed": "look at what the source returns",
    "token/expired": "let the source give a fresh one",
    "token/clock": "set the clock right",
    "token/file-missing": "mount a projected serviceAccountToken volume there",
    "token/google-file": "correct GOOGLE_APPLICATION_CREDENTIALS",
    "doctor/google-lifetime": "leave lifetime_s out",
    "config/google-setting": "give 600 to 43200",
    "doctor/container-address": "unset AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "doctor/aws-keys": "unset AWS_ACCESS_KEY_ID",
    "doctor/aws-long-lived-keys": "then take the keys away",
    "doctor/instance-role": "Role.AssumeRolePolicyDocument",
    "doctor/subject-audience": "project a serviceAccountToken with audience: https://iam",
    "doctor/google-stale": "date -u",
    "doctor/google-issuer-keys": "update-oidc",
    "google-exchange-signed-request-to-oidc": "--source token-file",
    "google-exchange-token-to-aws": "--source signed-request",
    "config/google-audience": "projects",
    "config/google-none": "set GCP_AWS_BRIDGE_GOOGLE_AUDIENCE",
    "config/google-service-account": "give NAME@PROJECT.iam.gserviceaccount.com",
    "google-settings-no-token-file": "set GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE",
    "google-settings-source": "give one of signed-request",
    "config/google-plain-http": "give an https:// address, or none",
}
