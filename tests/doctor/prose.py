"""Changes that a fix describes in words: a variable, an option, a port to open, a file to correct.

Each rule has a pattern that the text of the fix must contain. The change and its value are read
from the fix or from the finding; a fix that names neither fails the test.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from two_regions import CENTRAL

from gcp_aws_bridge.google import _federation

from . import sockets
from .pod import ROLE, Machine, Pod
from .workload import EMAIL, Workload
from .workload import ROLE as ON_AWS


class Advice(NamedTuple):
    """A finding, and the match of a rule's pattern in its fix."""

    finding: Mapping[str, Any]
    match: re.Match[str]

    @property
    def fix(self) -> str:
        return str(self.finding["fix"])

    @property
    def seen(self) -> str:
        return str(self.finding["seen"])

    def __getitem__(self, group: int | str) -> str:
        return str(self.match[group])


Change = Callable[[Machine, Advice], None]


def change_of(name: str, finding: Mapping[str, Any]) -> Callable[[Machine], None] | None:
    """Return the change that a fix describes, in the case *name*; None if it has only commands."""
    rule = RULES.get(name) or RULES.get(finding["id"])
    if rule is None:
        return None
    pattern, change = rule
    match = re.search(pattern, finding["fix"])
    assert match, f"{pattern!r} is not in the fix: {finding['fix']}"
    return lambda machine: change(machine, Advice(finding, match))


def workload(machine: Machine) -> Workload:
    assert isinstance(machine, Workload)
    return machine


# -- the environment and the command line ------------------------------------------------------


def unset(machine: Machine, *names: str) -> None:
    for name in names:
        machine._patch.delenv(name, raising=False)


def option(machine: Machine, name: str, value: str | None) -> None:
    """Set the option *name* on the command line, or remove it for None."""
    while name in machine.arguments:
        at = machine.arguments.index(name)
        del machine.arguments[at : at + 2]
    if value is not None:
        machine.arguments += [name, value]


def _sets(machine: Machine, advice: Advice) -> None:
    """Set the variable in the group `name` to the value in the group `value`."""
    machine.set(**{advice["name"]: advice["value"]})


def _sets_to(value: Callable[[Machine], str]) -> Change:
    """Set the variable that is named, to a value that only the reader can know."""
    return lambda machine, advice: machine.set(**{advice["name"]: value(machine)})


def _unsets(machine: Machine, advice: Advice) -> None:
    assert advice["name"] in os.environ
    unset(machine, advice["name"])


def _unsets_seen(machine: Machine, advice: Advice) -> None:
    """Unset "it": the variable that the finding names."""
    found = re.search(r"\b(?:GCE_METADATA_HOST|AWS_ROLE_SESSION_NAME)\b", advice.seen)
    assert found, advice.seen
    unset(machine, found[0])


def _requests_less(machine: Machine, advice: Advice) -> None:
    assert "duration_seconds is" in advice.seen
    option(machine, "--duration-seconds", None)


def _profile(machine: Machine, advice: Advice) -> None:
    """Remove the option or the variable that names the profile that does not exist."""
    missing = re.search(r"profile \((\w+)\)", advice.seen)
    assert missing
    if missing[1] in machine.arguments:
        option(machine, advice["option"], None)
    else:
        assert os.environ[advice["name"]] == missing[1]
        unset(machine, advice["name"])


def _restores_variables(machine: Machine, advice: Advice) -> None:
    """Start the process with the function's variables."""
    workload(machine).runs_on("lambda")


# -- tokens and files --------------------------------------------------------------------------


def _new_token(machine: Machine, advice: Advice) -> None:
    if isinstance(machine, Pod):
        path = machine.file("id-token", machine.cloud.mint())
        option(machine, "--id-token-file", path)
    else:
        workload(machine).token_file()


def _token_for(machine: Machine, advice: Advice) -> None:
    """Project a token for the audience that is printed."""
    workload(machine).token_file(machine.cloud.eks_token(advice["audience"]))


def _impersonates(machine: Machine, advice: Advice) -> None:
    machine.logs_in_to_google()
    option(machine, advice["option"], machine.cloud.service_account.email)


def _source(machine: Machine, advice: Advice) -> None:
    option(machine, "--source", advice["source"])
    if advice["source"] == "token-file":
        workload(machine).token_file()


def _audience(machine: Machine, advice: Advice) -> None:
    """Set a provider's name of the printed form."""
    right = workload(machine).provider.audience
    form = re.sub("NUMBER|POOL|PROVIDER", "[^/]+", advice["form"])
    assert re.fullmatch(form, right)
    machine.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=right)


def _number(machine: Machine, advice: Advice) -> None:
    """Replace the project's id by its number."""
    wrong, right = os.environ["GCP_AWS_BRIDGE_GOOGLE_AUDIENCE"], workload(machine).provider.audience
    given = wrong.replace(f"/{advice['project']}/", f"/{right.split('/')[4]}/")
    machine.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=given)


def _google_files_address(machine: Machine, advice: Advice) -> None:
    """Correct the address in the file that the finding shows to be plain HTTP."""
    path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    document = json.loads(path.read_text())
    assert document["token_url"] in advice.seen
    url = f"{machine.cloud.google_sts.url}/v1/token"
    path.write_text(json.dumps({**document, "token_url": url}))


def _without_denial(machine: Machine, advice: Advice) -> None:
    """Remove the statement that is named from the trust policy."""
    at = re.search(r"Statement\[(\d+)\] \(Deny\)", advice.seen)
    assert at, advice.seen
    document = json.loads(advice.seen.partition("The policy: ")[2].strip())
    assert "Deny" == document["Statement"].pop(int(at[1]))["Effect"]
    machine.cloud.add_role(ROLE, document)


def _external_id(machine: Machine, advice: Advice) -> None:
    """Pass the external ID after the option for the chained role."""
    assert advice["role"] in machine.arguments
    option(machine, "--external-id", advice["id"])


def _external_id_of_the_owner(machine: Machine, advice: Advice) -> None:
    """Pass the external ID that the owner of the role knows, in the place of ID."""
    assert "by a request with no external ID" in advice.seen
    option(machine, "--external-id", "tenant-7")


def _trusts_ec2(machine: Machine, advice: Advice) -> None:
    assert advice["role"] == ON_AWS.rpartition("/")[2]
    assert "does not admit ec2.amazonaws.com" in advice.seen
    machine.cloud.add_role(ON_AWS, machine.cloud.trust_policy_for_service("ec2.amazonaws.com"))


# -- the network and the services --------------------------------------------------------------


def restore(machine: Machine, check: str) -> None:
    """Let the requests of one check, and no others, reach their service."""
    if isinstance(machine, Pod):
        if check == "metadata":
            machine.metadata_at(f"127.0.0.1:{machine.cloud.metadata.port}")
            machine.cloud.metadata.clear_faults()
        else:
            _restore_sts(machine)
        return
    at = workload(machine)
    if check in ("sts", "aws") or (check == "token" and "outbound" in os.environ.values()):
        _restore_sts(machine)
    elif check in ("google", "exchange"):
        at.google_at(machine.cloud.google_sts.url, _federation._IAM)
        machine.cloud.google_sts.clear_faults()
    else:
        at.google_at(_federation._STS.removesuffix("/v1/token"), machine.cloud.iam_credentials.url)
        machine.cloud.iam_credentials.clear_faults()


def _clear_sts_faults(machine: Machine) -> None:
    machine.cloud.sts.clear_faults()
    if isinstance(machine, Pod) and machine.central is not None:
        machine.central.clear_faults()


def _restore_sts(machine: Machine) -> None:
    _clear_sts_faults(machine)
    if isinstance(machine, Pod) and machine.central is not None:
        machine.two_regions()
        return
    machine.set(AWS_ENDPOINT_URL_STS=machine.cloud.sts.url)


_VARIABLES = {
    "HTTPS_PROXY": ("HTTPS_PROXY", "https_proxy"),
    "AWS_CA_BUNDLE": ("AWS_CA_BUNDLE",),
    "REQUESTS_CA_BUNDLE": ("REQUESTS_CA_BUNDLE",),
    "AWS_DEFAULT_REGION": ("AWS_DEFAULT_REGION", "AWS_REGION"),
}


def _address(machine: Machine, check: str) -> str:
    """Return the host that the requests of a check go to now."""
    if isinstance(machine, Pod) and machine.central is not None:
        working = (machine.cloud.sts.url, machine.central.url)
        other = [one for one in machine.regions.values() if one not in working]
        url = next(iter(other), working[0])
    elif isinstance(machine, Workload) and check not in ("sts", "token", "aws"):
        url = _federation._STS if check in ("google", "exchange") else _federation._IAM
    else:
        url = os.environ.get("AWS_ENDPOINT_URL_STS", "https://sts.us-east-1.amazonaws.com")
    return urlsplit(url).hostname or url


def _opens(machine: Machine, advice: Advice) -> None:
    """Restore the connection to the address that is named, and unset the variables that are."""
    check = advice.finding["link"]
    variables = [name for name in _VARIABLES if name in advice.fix]
    names_it = _address(machine, check) in advice.fix or "AWS_ENDPOINT_URL_STS" in advice.fix
    assert names_it or variables, advice.fix
    for name in variables:
        unset(machine, *_VARIABLES[name])
    restore(machine, check)


def _opens_metadata(machine: Machine, advice: Advice) -> None:
    """Restore the connection to the metadata server's address, which the fix names."""
    restore(machine, "metadata")


def _restarts_metadata(machine: Machine, advice: Advice) -> None:
    """Delete the server's pod: its replacement answers at the same address."""
    restore(machine, "metadata")


def _waits(machine: Machine, advice: Advice) -> None:
    """Wait for an outage to end; nothing is changed."""
    restore(machine, advice.finding["link"])


def _waits_for_a_new_pod(machine: Machine, advice: Advice) -> None:
    assert isinstance(machine, Pod)
    machine.started(60)
    restore(machine, "metadata")


def _agent(machine: Machine, advice: Advice) -> None:
    workload(machine).cloud.pod_identity.clear_faults()
    workload(machine).runs_on("eks")


def _identity_center(machine: Machine, advice: Advice) -> None:
    """Let requests reach the portal of IAM Identity Center, which the finding names."""
    assert "IAM Identity Center" in advice.seen
    workload(machine).laptop.sso.clear_faults()


def _task(machine: Machine, advice: Advice) -> None:
    workload(machine).runs_on("ecs")


def _pod_is_recreated(machine: Machine, advice: Advice) -> None:
    assert advice["name"] not in os.environ  # by the command
    workload(machine).runs_on("eks")


def _new_certificate(machine: Machine, advice: Advice) -> None:
    """Replace the server's certificate by a new one, in the same authority's file."""
    relay = machine._stack.enter_context(sockets.tls_relay(machine.folder, machine.cloud.sts.url))
    machine.set(AWS_ENDPOINT_URL_STS=relay)


def _token_endpoint(machine: Machine, advice: Advice) -> None:
    """Have Google's token endpoint for key files answer again."""
    machine.cloud.key_files.clear_faults()


def _impersonation_resolves(machine: Machine, advice: Advice) -> None:
    """Have the name of the IAM Credentials API resolve to the emulator."""
    path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    document = json.loads(path.read_text())
    name = "service_account_impersonation_url"
    host, _, rest = document[name].removeprefix("https://").partition("/")
    assert host.startswith("iamcredentials.")
    assert host in advice.seen
    document[name] = f"{machine.cloud.iam_credentials.url}/{rest}"
    path.write_text(json.dumps(document))


def _clock(machine: Machine, advice: Advice) -> None:
    machine.clouds_are(0)


def _nodes_clock(machine: Machine, advice: Advice) -> None:
    machine.cloud.metadata.clear_faults()


def _no_cache(machine: Machine, advice: Advice) -> None:
    _clear_sts_faults(machine)
    if isinstance(machine, Workload):
        machine.cloud.google_sts.clear_faults()
        machine.cloud.iam_credentials.clear_faults()


def _own_network(machine: Machine, advice: Advice) -> None:
    """Give the pod its own network, in which GKE's metadata server answers."""
    machine.cloud.metadata.clear_faults()


def _region_enabled(machine: Machine, advice: Advice) -> None:
    """Activate STS in the account's settings, which a fault of the emulator represents."""
    _clear_sts_faults(machine)


def _region_allowed(machine: Machine, advice: Advice) -> None:
    """Allow the region in the organization's policies, for which a fault stands."""
    assert isinstance(machine, Pod)
    assert machine.central is not None
    assert CENTRAL == advice["region"]
    machine.central.clear_faults()


def _region_omitted(machine: Machine, advice: Advice) -> None:
    """Omit the region that the finding names; the other one stays."""
    found = re.search(r"STS in (\S+) decided this", advice.seen)
    assert found
    at = machine.arguments.index(found[1])
    del machine.arguments[at - 1 : at + 1]


def _role_updated(machine: Machine, advice: Advice) -> None:
    """Wait until the changed policy has reached every region."""
    machine.cloud.add_role(ROLE)


_VARIABLE = r"(?P<name>[A-Z][A-Z_]+)"
_ARN = r"arn:aws:iam::\d{12}:role/\w+"
_METADATA = r"169\.254\.169\.254"
_SERVER = "kubectl -n kube-system delete pod NAME"

RULES: dict[str, tuple[str, Change]] = {
    # Variables, options and files.
    "config/metadata-host": ("unset it on Google Cloud", _unsets_seen),
    "config/role-arn": (f"such as (?P<value>{_ARN}), by argument, {_VARIABLE}", _sets),
    "config/duration": (rf"set {_VARIABLE} to (?P<value>\d+) or more", _sets),
    "config/chain-duration": (
        r"use duration_seconds=(?P<value>\d+) or less",
        lambda machine, advice: option(machine, "--duration-seconds", advice["value"]),
    ),
    "config/google-setting": (
        r"give (?P<value>\d+) to \d+",
        lambda machine, advice: option(machine, "--lifetime-seconds", advice["value"]),
    ),
    "doctor/google-lifetime": (
        "leave lifetime_s out",
        lambda machine, advice: option(machine, "--lifetime-seconds", None),
    ),
    "exchange/duration": ("^request less", _requests_less),
    "chain-duration": (
        "raise the role's maximum session duration",
        lambda machine, advice: machine.cloud.sts.clear_faults(),
    ),
    "doctor/config-file": (
        f"set {_VARIABLE} to another",
        _sets_to(lambda machine: machine.file("another", "[default]\n")),
    ),
    "config/profile": (rf"look at (?P<option>--[a-z]+), {_VARIABLE}", _profile),
    "config/session-name": ("omit it", _unsets_seen),
    "token-injected-expired": ("the kubelet replaces the file", lambda machine, advice: None),
    "google-settings-login-before-the-sidecar": (
        r'delete "(?P<path>[^"]+)"',
        lambda machine, advice: Path(advice["path"]).unlink(),
    ),
    "config/google-none": (
        f"set {_VARIABLE}",
        _sets_to(lambda machine: workload(machine).provider.audience),
    ),
    "config/google-audience": (r"give (?P<form>//\S+[A-Z])\.", _audience),
    "google-settings-project-id": (
        r"gcloud projects describe (?P<project>\S+) --format='value\(projectNumber\)'",
        _number,
    ),
    "config/google-service-account": (
        "give NAME@PROJECT.iam.gserviceaccount.com",
        lambda machine, advice: machine.set(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT=EMAIL),
    ),
    "google-settings-source": (
        "pass one of (?P<source>signed-request)",
        lambda machine, advice: machine.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE=advice["source"]),
    ),
    "google-settings-file-executable": (
        f"for an AWS provider, set {_VARIABLE}=(?P<value>[a-z-]+)",
        _sets,
    ),
    "google-settings-no-token-file": (
        f"set {_VARIABLE} to the path of a projected serviceAccountToken",
        lambda machine, advice: (
            workload(machine).oidc_provider(),
            machine.set(
                **{
                    advice["name"]: machine.file(
                        "new", machine.cloud.eks_token(machine.provider.audiences[0])
                    )
                }
            ),
        )[0],
    ),
    "config/google-plain-http": ("give an https:// address, or none", _google_files_address),
    "google-aws-lambda-cleared": ("with the variables of the function", _restores_variables),
    "doctor/container-address": (f"unset {_VARIABLE}", _pod_is_recreated),
    "doctor/aws-keys": (f"unset {_VARIABLE}", lambda machine, advice: None),
    "doctor/aws-long-lived-keys": (
        "remove the keys",
        lambda machine, advice: unset(machine, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ),
    # Tokens.
    "exchange-forged": ("get a new token from its issuer", _new_token),
    "google-exchange-forged": ("get a new token from its issuer", _new_token),
    "token/audience": (
        "make the audience of the token source and of the role the same",
        _new_token,
    ),
    "token/malformed": ("look at what the source returns", _new_token),
    "token-empty": (
        "look at what the source returns",
        lambda machine, advice: restore(machine, "metadata"),
    ),
    "token/expired": ("let the source give a fresh one", _new_token),
    "token/clock": ("set the clock right", _new_token),
    "token/file-missing": ("mount a projected serviceAccountToken volume there", _new_token),
    "token/google-file": (
        f"correct {_VARIABLE}",
        _unsets,
    ),
    "doctor/subject-audience": (
        r"project a serviceAccountToken with audience: (?P<audience>\S+)",
        _token_for,
    ),
    "doctor/google-issuer-keys": (r"kubectl get --raw /openid/v1/jwks", _new_token),
    "google-exchange-signed-request-to-oidc": ("--source (?P<source>token-file)", _source),
    "google-exchange-token-to-aws": ("--source (?P<source>signed-request)", _source),
    "doctor/google-stale": ("have the token file written again", _no_cache),
    "place-laptop-login": ("or gcp-aws-bridge doctor (?P<option>--impersonate)", _impersonates),
    "place-ec2": ("--id-token-file", _new_token),
    # Roles.
    "exchange-explicit-deny": ("and change what is named above", _without_denial),
    "chain-external-id-wrong": (
        rf"--chain (?P<role>{_ARN}) --external-id (?P<id>\S+)",
        _external_id,
    ),
    "chain-external-id-unknown": (
        rf"owner of the role gave you an external ID:\n--chain {_ARN} --external-id ID",
        _external_id_of_the_owner,
    ),
    "doctor/instance-role": (
        r"get-role --role-name (?P<role>\w+) --query Role.AssumeRolePolicyDocument",
        _trusts_ec2,
    ),
    "doctor/not-the-role": ("try again in a minute", _role_updated),
    "exchange-first-region-disabled": ("or omit the region from sts_regions", _region_omitted),
    "exchange-second-region-denied": (
        r"aws:RequestedRegion, which must allow (?P<region>\S+),",
        _region_allowed,
    ),
    "exchange/region": ("enable STS in this region in the IAM console", _region_enabled),
    # Clocks.
    "doctor/clock": ("set the clock by NTP: sudo chronyc makestep", _clock),
    "doctor/metadata-clock": ("on the pod's node: date -u; sudo chronyc makestep", _nodes_clock),
    "doctor/sts-clock": (
        "exclude these requests from the proxy that answers from a cache",
        _no_cache,
    ),
    "doctor/google-clock": (
        "exclude these requests from the proxy that answers from a cache",
        _no_cache,
    ),
    # The network.
    "doctor/host-network": ("remove hostNetwork: true from the pod", _own_network),
    "doctor/metadata-blocked": (f"allow egress to {_METADATA}/32 port 80", _opens_metadata),
    "doctor/metadata-closed": (_SERVER, _restarts_metadata),
    "doctor/metadata-no-route": ("network, with a default route", _opens_metadata),
    "token/metadata-not-ready": (
        f"{_SERVER}|look at the node's gke-metadata-server pods",
        _restarts_metadata,
    ),
    "token/metadata-refused": (_SERVER, _restarts_metadata),
    # The command is the whole fix.
    "token-api-disabled": ("^gcloud services enable", lambda machine, advice: None),
    "doctor/metadata-cut": (f"keep {_METADATA}/32 out of the mesh", _opens_metadata),
    "doctor/metadata-forwarded": (f"keep {_METADATA}/32 out of the mesh", _opens_metadata),
    "token/not-google": (f"keep the server that answers away from {_METADATA}", _opens_metadata),
    "doctor/new-pod": ("try again in half a minute", _waits_for_a_new_pod),
    **dict.fromkeys(
        ("doctor/sts-blocked", "doctor/google-blocked"),
        (r"allow egress to port 443 of \S+", _opens),
    ),
    "doctor/sts-closed": (
        r"check the address \(AWS_ENDPOINT_URL_STS\) and the routes",
        _opens,
    ),
    **dict.fromkeys(
        ("doctor/sts-cut", "doctor/sts-silent", "doctor/google-silent", "doctor/subject-timeout"),
        (r"let it pass the firewall or proxy: port \d+ of \S+", _opens),
    ),
    **dict.fromkeys(
        ("doctor/sts-dns", "doctor/google-dns"), ("egress to kube-dns, port 53", _opens)
    ),
    **dict.fromkeys(
        ("doctor/sts-proxy", "doctor/google-proxy"),
        (r"correct HTTPS_PROXY, or exclude the host from it: export NO_PROXY=\S+", _opens),
    ),
    "doctor/sts-tls": ("AWS_CA_BUNDLE|check AWS_ENDPOINT_URL_STS", _opens),
    "doctor/google-tls": ("REQUESTS_CA_BUNDLE", _opens),
    "sts-tls-expired": ("what answers there needs a new certificate", _new_certificate),
    "doctor/google-closed": ("check firewalls that read host names in TLS, and routes", _opens),
    "exchange/unreachable": (r"egress rules \(port 443\).* for the STS endpoint", _waits),
    "exchange/google-unreachable": (r"check egress rules, .* for \S+, port \d+", _opens),
    "exchange/garbage": ("look at AWS_ENDPOINT_URL_STS and at proxies on the way", _opens),
    "exchange/google-answer": ("look at proxies on the way, and at the", _waits),
    "google-exchange-format": ("a proxy changes requests", _waits),
    "doctor/token-timeout": (r"curl .* https://oauth2\.googleapis\.com", _token_endpoint),
    "token/google-unreachable": (
        r"check DNS: getent hosts iamcredentials\.nowhere\.invalid",
        _impersonation_resolves,
    ),
    "doctor/pod-identity-agent": (r"allow egress to 169\.254\.170\.23/32 port 80", _agent),
    "exchange/timeout": (r"let it pass the firewall or proxy: port 443 of \S+", _opens),
    "doctor/aws-timeout": ("egress to port 443 of AWS", _identity_center),
    # Services.
    "exchange/unavailable": (
        "look at AWS_ENDPOINT_URL_STS and at proxies on the way|^wait",
        _waits,
    ),
    "exchange-keys-unreachable": ("^wait; it is retried", _waits),
    "exchange/google-unavailable": ("wait, and try again: the library does", _waits),
    "doctor/other-principal": ("look at AWS_ENDPOINT_URL_STS", _opens),
    "exchange/refused": ("unset AWS_ENDPOINT_URL_STS", _opens),
    "config/sts-client": ("check region, AWS_ENDPOINT_URL_STS", _opens),
    "google-sts-region-of-a-zone": (
        "check region",
        lambda machine, advice: machine.set(AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1"),
    ),
    "config/sts-plain-http": ("unset AWS_ENDPOINT_URL_STS", _opens),
}
