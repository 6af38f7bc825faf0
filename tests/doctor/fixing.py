"""Applies the fix of a finding: its commands with an interpreter, other changes with `prose`.

Each command is parsed as a shell does (`shlex`), and changes the emulator, a file or the
environment as it would change the clouds. An unknown command fails the test.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.config import DEFAULT_AUDIENCE

from . import prose
from .pod import NEAR, OTHER, ROLE, Machine, Pod
from .prose import workload
from .table import Case
from .workload import EMAIL, Workload
from .workload import ROLE as ON_AWS

Report = Mapping[str, Any]
# A command, after the words that some lines have before it.
_COMMAND = re.compile(
    r"(?:(?P<instead>or)(?: [\w ]+:)? |[\w' ]+: )?"
    r"(?P<command>(?:aws|gcloud|kubectl|gcp-aws-bridge (?:doctor|google-config)) .+"
    r"|(?:unset|export) [A-Z].+|remove \w+ .+)"
)
_TRUST_FOLLOWS = re.compile(r"add this statement to the trust policy of (arn:\S+):$")
_LOOKING = re.compile(r"(get|list|describe|logs)(-[\w-]+)?|get-caller-identity")
# Words after a command, in the same line.
_PROSE = re.compile(r"[,;] (?:or|so|and|once|with|where) ")

# Ids of findings and errors whose fix no test of this suite applies, with the reason.
_PERIMETER = (
    "an administrator of the organization must change a perimeter of VPC Service Controls, which "
    "the emulator does not have"
)
_PACKAGE = "a package is installed or upgraded, which a session of nox does for each extra"
_UNKNOWN = "the error is not known, so that the fix is to report it, or to look up the message"
NOT_APPLIED = {
    "doctor/google-perimeter": _PERIMETER,
    "exchange/google-perimeter": _PERIMETER,
    **dict.fromkeys(
        (
            *("config/extra", "config/extra-boto3", "config/extra-demo", "config/extra-google"),
            *("config/extra-server", "config/extra-webhook", "config/internals"),
            "config/outbound",
        ),
        _PACKAGE,
    ),
    **dict.fromkeys(
        (
            *("demo/no-refresh", "exchange/unexpected"),
            *("exchange/google-unknown", "token/outbound-refused"),
        ),
        _UNKNOWN,
    ),
    "exchange/no-thread": "a limit of the machine or of its cgroup must be raised",
}


def name_of(case: Case) -> str:
    """Return the name of a case, which is unique in both directions."""
    return f"{'google-' if case.direction.options else ''}{case.name}"


def reason(case: Case) -> str:
    """Return why no test applies the fix of this case; empty if one does."""
    return NOT_APPLIED.get(case.cause, "")


def apply(machine: Machine, name: str, finding: Report) -> None:
    """Apply the fix of *finding*, by the rule for the case *name* if there is one."""
    change = prose.change_of(name, finding)
    commands = Commands(machine, finding)
    for line in finding["fix"].splitlines():
        commands.run(line)
    if change is not None:
        change(machine)
    assert commands.changed or change, f"nothing to apply: {finding['fix']}"


class Commands:
    """Interpreter for the commands of one finding.

    Attributes:
        changed: Whether a command has changed anything.
    """

    def __init__(self, machine: Machine, finding: Report) -> None:
        self.changed = False
        self._machine = machine
        self._finding = finding
        self._annotated = self._bound = ""
        self._statement_follows = False
        self._trust_follows = ""

    def run(self, line: str) -> None:
        """Run the command in a line; a line without a command is for the reader."""
        if self._statement_follows and not self.changed:
            role = {"Version": "2012-10-17", "Statement": [json.loads(line)]}
            self._machine.cloud.add_role(ROLE, role)
            self.changed = True
        if self._trust_follows:
            document = {"Version": "2012-10-17", "Statement": [json.loads(line)]}
            self._machine.cloud.add_role(self._trust_follows, document)
            self.changed = True
        chained = _TRUST_FOLLOWS.search(line)
        self._trust_follows = chained[1] if chained else ""
        self._statement_follows = line.endswith("add this statement to the policy:")
        found = _COMMAND.fullmatch(line)
        if found is None or (found["instead"] and self.changed):
            return
        command = found["command"]
        words = shlex.split(command if "'" in command else _PROSE.split(command)[0], comments=True)
        for prefix, effect in _EFFECTS.items():
            if tuple(words[: len(prefix)]) == prefix:
                self.changed |= effect(self, words[len(prefix) :]) is not False
                return
        assert any(_LOOKING.fullmatch(word) for word in words), f"not known: {line}"

    # The environment and files.

    def unset(self, names: list[str]) -> None:
        prose.unset(self._machine, *names)
        if "GCE_METADATA_HOST" in names and isinstance(self._machine, Pod):
            self._machine.metadata_at(f"127.0.0.1:{self._machine.cloud.metadata.port}")

    def export(self, pairs: list[str]) -> bool:
        """Set variables; a placeholder is looked up as the line before says."""
        found = {}
        for name, value in (pair.split("=", 1) for pair in pairs):
            found[name] = (
                looked_up(self._machine, name)
                if value.isupper() or value.endswith("/NAME")
                else value
            )
        given = {name: value for name, value in found.items() if value}
        self._machine.set(**given)
        return bool(given)

    def remove(self, words: list[str]) -> None:
        """Apply `remove KEY and KEY from [SECTION] in FILE`, which is done in an editor."""
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
        """Apply `aws configure set KEY VALUE --profile NAME` to the file of AWS_CONFIG_FILE."""
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
        role = _ROLES.get(options["--role-name"], ON_AWS)
        self._machine.cloud.add_role(role, document)

    def delete_provider(self, words: list[str]) -> None:
        arn = options_of(words)["--open-id-connect-provider-arn"]
        issuer = f"https://{arn.partition('oidc-provider/')[2]}"
        del self._machine.cloud._accounts._providers[arn.split(":")[4], issuer]

    def create_provider(self, words: list[str]) -> None:
        options = options_of(words)
        clients = (options["--client-id-list"],)
        self._machine.cloud.add_oidc_provider(options["--url"], client_ids=clients)

    def associate(self, words: list[str]) -> None:
        self._machine.cloud.pod_identity.associate("default", "etl", ON_AWS)
        workload(self._machine).runs_on("eks")

    def metadata_options(self, words: list[str]) -> None:
        assert {"--http-put-response-hop-limit", "--http-endpoint"} & {*words}
        self._machine.cloud.imds.clear_faults()

    def instance_profile(self, words: list[str]) -> None:
        self._machine.cloud.imds.role_arn = ON_AWS

    def role_policy(self, words: list[str]) -> None:
        options = options_of(words)
        policy = json.loads(options["--policy-document"])
        if "sts:AssumeRole" in json.dumps(policy):
            self._machine.cloud.attach_policy(_ROLES[options["--role-name"]], policy)
        else:
            assert "sts:GetWebIdentityToken" in json.dumps(policy)
        self._machine.cloud.sts.clear_faults()

    def outbound(self, words: list[str]) -> None:
        workload(self._machine).outbound()

    def create_role(self, words: list[str]) -> bool:
        options = options_of(words)
        name, path = options["--role-name"], options.get("--path", "/")
        arn = f"{ROLE.partition('/')[0]}{path}{name}"
        if arn in self._machine.cloud._accounts._roles:  # EntityAlreadyExists
            return False
        self._machine.cloud.add_role(arn, json.loads(options["--assume-role-policy-document"]))
        return True

    def sign_in(self, words: list[str]) -> None:
        """Apply `aws sso login --profile NAME`; the profile must exist."""
        name = options_of(words)["--profile"]
        profile = looked_up(self._machine, "AWS_PROFILE") if name == "NAME" else name
        assert profile == os.environ.get("AWS_PROFILE", profile)
        workload(self._machine).signs_in()

    def update_service(self, words: list[str]) -> None:
        """Start new tasks, of a definition with a role."""
        assert "--force-new-deployment" in words
        assert "register the task definition with taskRoleArn" in self._finding["fix"]
        workload(self._machine).runs_on("ecs")

    # Google Cloud and Kubernetes.

    def log_in(self, words: list[str]) -> None:
        self._machine.logs_in_to_google()

    def doctor(self, words: list[str]) -> bool:
        """Use the options of `gcp-aws-bridge doctor` in the next diagnosis."""
        for name, value in options_of([word for word in words if word != "--google"]).items():
            if name == "--timeout":
                return False
            assert name == "--impersonate"
            email = self._machine.cloud.service_account.email if "NAME@" in value else value
            prose.option(self._machine, name, email)
        return True

    def google_config(self, words: list[str]) -> None:
        """Write a credential configuration, with the command itself."""
        names = {
            "PROVIDER": workload(self._machine).provider.audience,
            "EMAIL": EMAIL,
            "FILE": str(self._machine.folder / "written.json"),
        }
        assert set(names) < set(words)
        assert 0 == main(["google-config", *(names.get(word, word) for word in words)])
        self._machine.set(GOOGLE_APPLICATION_CREDENTIALS=names["FILE"])

    def credential_configuration(self, words: list[str]) -> None:
        """Apply `create-cred-config` with an account, keeping the other options."""
        assert options_of(words[1:])["--service-account"].endswith(".iam.gserviceaccount.com")
        path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
        cloud, name = self._machine.cloud, "service_account_impersonation_url"
        url = f"{cloud.iam_credentials.url}/v1/projects/-/serviceAccounts/"
        url += f"{cloud.service_account.email}:generateAccessToken"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: url}))

    def undelete(self, words: list[str]) -> bool:
        """Restore a pool with its providers, or one provider."""
        at = workload(self._machine)
        name, _ = at.provider.audience.removeprefix("//iam.googleapis.com/"), words
        if at.cloud._iam._providers.get(at.provider.audience) or words[0] not in (
            name,
            name.partition("/providers/")[0],
        ):
            return False
        at.cloud._iam.add_provider(at.provider)
        return True

    def update_pool(self, words: list[str]) -> bool:
        """Apply `--no-disabled` to a pool; no case has a disabled one."""
        assert ["--no-disabled"] == words[1:]
        return False

    def create_account(self, words: list[str]) -> None:
        name, *rest = words
        email = f"{name}@{options_of(rest)['--project']}.iam.gserviceaccount.com"
        assert os.environ["GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT"] == email
        self._machine.cloud.add_google_service_account(email)

    def annotate(self, words: list[str]) -> None:
        name, _, namespace, annotation = words
        key, _, value = annotation.partition("=")
        if self._machine.webhook and key.startswith("gcp-aws-bridge/"):
            assert ("etl", "default") == (name, namespace)
            value = "us-east-1" if value == "REGION" else value
            self._machine.webhook.annotations[key.partition("/")[2]] = value
            return
        self._annotated = value
        assert ("etl", "default", "iam.gke.io/gcp-service-account") == (name, namespace, key)
        self._link()

    def bind(self, words: list[str]) -> None:
        email, *rest = words
        options = options_of(rest)
        assert "roles/iam.workloadIdentityUser" == options["--role"]
        if not isinstance(self._machine, Pod):
            found = self._machine.cloud._iam.account(email)
            held = dict(found.bindings).get(options["--role"], ()) if found else ()
            self._machine.cloud.add_google_service_account(email, [*held, options["--member"]])
            return
        account = self._machine.cloud.service_account
        member = options["--member"].replace("SUBJECT", "system:serviceaccount:default:etl")
        if member.startswith("principal://"):
            self._machine.cloud.add_google_service_account(email, [member])
            return
        pod = f"{account.namespace}/{account.kubernetes_name}"
        pools = {account.workload_pool, "demo-project.example.com.svc.id.goog"}
        assert member in {f"serviceAccount:{pool}[{pod}]" for pool in pools}
        assert ":" not in options["--project"] or "@demo-project.example.com.iam." in email
        self._bound = email
        self._link()

    def _link(self) -> None:
        """Link the account once both commands have run; an annotated pod needs only the binding."""
        linked = self._annotated or (self._finding["id"] == "doctor/not-bound")
        if self._bound and linked in (True, self._bound):
            self._machine.cloud.metadata.linked = True
            self._machine.cloud.metadata.clear_faults()

    def node_pool(self, words: list[str]) -> None:
        assert "--workload-metadata=GKE_METADATA" in words
        self._machine.cloud.metadata.clear_faults()

    def instance_account(self, words: list[str]) -> None:
        assert options_of(words[1:])["--service-account"].endswith(".iam.gserviceaccount.com")
        self._machine.cloud.metadata.clear_faults()

    def enable(self, words: list[str]) -> None:
        assert "iamcredentials.googleapis.com" == words[0]
        self._machine.cloud.iam_credentials.clear_faults()
        self._machine.cloud.metadata.clear_faults()

    def update_provider(self, words: list[str]) -> bool:
        at = workload(self._machine)
        if ["--no-disabled"] == words[1:]:
            was, at.provider.disabled = at.provider.disabled, False
            return bool(was)
        options = options_of(words[1:])
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
        return True

    def restart(self, words: list[str]) -> None:
        """Delete the pod: its replacement has fresh variables and files."""
        if self._machine.webhook:
            self._machine.webhook.create()
            return
        how = "irsa" if "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ else "eks"
        workload(self._machine).runs_on(how)

    def execute(self, words: list[str]) -> None:
        """Run the doctor in the sidecar, by `kubectl exec`."""
        pod, container, name, *command = words
        assert ("POD", "-c") == (pod, container)
        options = ["--google"] if isinstance(self._machine, Workload) else []
        assert ["--", "gcp-aws-bridge", "doctor", *options] == command
        assert self._machine.webhook
        self._machine.webhook.enter_sidecar(name)

    def nothing(self, words: list[str]) -> None:
        """Do nothing: the command has no effect on the emulator by itself."""


_ROLES = {arn.rpartition("/")[2]: arn for arn in (OTHER, NEAR, ROLE, ON_AWS)}
_PROVIDERS = ("gcloud", "iam", "workload-identity-pools", "providers")
_EFFECTS: dict[tuple[str, ...], Callable[[Commands, list[str]], bool | None]] = {
    ("unset",): Commands.unset,
    ("export",): Commands.export,
    ("remove",): Commands.remove,
    ("aws", "configure", "set"): Commands.configure,
    ("aws", "iam", "update-assume-role-policy"): Commands.trust,
    ("aws", "iam", "create-role"): Commands.create_role,
    ("aws", "sso", "login"): Commands.sign_in,
    ("aws", "ecs", "update-service"): Commands.update_service,
    ("aws", "iam", "delete-open-id-connect-provider"): Commands.delete_provider,
    ("aws", "iam", "create-open-id-connect-provider"): Commands.create_provider,
    ("aws", "iam", "put-role-policy"): Commands.role_policy,
    ("aws", "iam", "enable-outbound-web-identity-federation"): Commands.outbound,
    ("aws", "eks", "create-pod-identity-association"): Commands.associate,
    ("aws", "ec2", "modify-instance-metadata-options"): Commands.metadata_options,
    ("aws", "ec2", "associate-iam-instance-profile"): Commands.instance_profile,
    ("kubectl", "annotate", "serviceaccount"): Commands.annotate,
    ("kubectl", "delete", "pod"): Commands.restart,
    ("kubectl", "exec"): Commands.execute,
    ("kubectl", "-n", "kube-system", "delete", "pod"): Commands.nothing,
    ("aws", "iam", "delete-access-key"): Commands.nothing,
    ("kubectl", "-n", "default", "rollout", "restart"): Commands.nothing,
    ("gcloud", "iam", "service-accounts", "add-iam-policy-binding"): Commands.bind,
    ("gcloud", "container", "node-pools", "update"): Commands.node_pool,
    ("gcloud", "compute", "instances", "set-service-account"): Commands.instance_account,
    ("gcloud", "compute", "instances", "stop"): Commands.nothing,
    ("gcloud", "compute", "instances", "start"): Commands.nothing,
    ("gcloud", "services", "enable"): Commands.enable,
    ("gcloud", "auth", "application-default", "login"): Commands.log_in,
    ("gcp-aws-bridge", "doctor"): Commands.doctor,
    ("gcp-aws-bridge", "google-config"): Commands.google_config,
    (*_PROVIDERS[:-1], "create-cred-config"): Commands.credential_configuration,
    (*_PROVIDERS[:-1], "undelete"): Commands.undelete,
    (*_PROVIDERS[:-1], "update"): Commands.update_pool,
    (*_PROVIDERS, "undelete"): Commands.undelete,
    ("gcloud", "iam", "service-accounts", "create"): Commands.create_account,
    (*_PROVIDERS, "update-aws"): Commands.update_provider,
    (*_PROVIDERS, "update-oidc"): Commands.update_provider,
}


def looked_up(machine: Machine, variable: str) -> str:
    """Return the value that the commands before list for *variable*; empty to leave it unset.

    The variable stays as it is if the list has its value, or no other.
    """
    if variable == "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE":
        audiences = [*machine.cloud._iam._providers]
        return "" if os.environ[variable] in audiences or len(audiences) != 1 else audiences[0]
    if variable == "GCP_AWS_BRIDGE_AUDIENCE":
        role = machine.cloud._accounts._roles.get(ROLE)
        for statement, _ in role.trust_policy._statements if role else ():
            for condition in statement.conditions:
                if condition.key == "accounts.google.com:oaud":
                    named = condition.values[0]
                    return "" if named == os.environ.get(variable, DEFAULT_AUDIENCE) else named
        return ""
    if variable == "AWS_PROFILE":
        config = Path(os.environ["AWS_CONFIG_FILE"]).read_text()
        return re.findall(r"^\[profile (\w+)\]$", config, re.MULTILINE)[0]
    return ""  # no case has a role or account under another name


def options_of(words: list[str]) -> dict[str, str]:
    """Return options with their values, from `--a=b` or `--a b`."""
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
