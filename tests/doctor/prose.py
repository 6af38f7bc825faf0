"""Changes that a fix names in words: a variable, an option, a port to open, a file to correct.

Each rule has a pattern that the text of the fix must contain. What is changed, and the value that
it gets, is read from the fix (or from what was seen); a fix that names neither fails the test.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gcp_aws_bridge.google import _federation

from . import sockets
from .pod import ROLE, Machine, Pod
from .workload import EMAIL, Workload
from .workload import ROLE as ON_AWS


class Said(NamedTuple):
    """A fix, and where in it the rule's pattern was found."""

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


Change = Callable[[Machine, Said], None]


def change_of(name: str, finding: Mapping[str, Any]) -> Callable[[Machine], None] | None:
    """Return the change that the words of a fix name, in the case *name*; None for a fix of
    commands alone.
    """
    rule = RULES.get(name) or RULES.get(finding["id"])
    if rule is None:
        return None
    pattern, change = rule
    match = re.search(pattern, finding["fix"])
    assert match, f"{pattern!r} is not in the fix: {finding['fix']}"
    return lambda place: change(place, Said(finding, match))


def workload(place: Machine) -> Workload:
    assert isinstance(place, Workload)
    return place


# -- the environment and the command line ------------------------------------------------------


def unset(place: Machine, *names: str) -> None:
    for name in names:
        place._patch.delenv(name, raising=False)


def option(place: Machine, name: str, value: str | None) -> None:
    """Give the option *name* this value, or take it out of the command line."""
    while name in place.arguments:
        at = place.arguments.index(name)
        del place.arguments[at : at + 2]
    if value is not None:
        place.arguments += [name, value]


def _sets(place: Machine, said: Said) -> None:
    """Set the variable of the first group to the value of the second."""
    place.set(**{said["name"]: said["value"]})


def _sets_to(value: Callable[[Machine], str]) -> Change:
    """Set the variable that is named; which value it must have only the reader knows."""
    return lambda place, said: place.set(**{said["name"]: value(place)})


def _unsets(place: Machine, said: Said) -> None:
    assert said["name"] in os.environ
    unset(place, said["name"])


def _unsets_seen(place: Machine, said: Said) -> None:
    """Unset "it": the variable that the finding's other line names."""
    found = re.search(r"\b(?:GCE_METADATA_HOST|AWS_ROLE_SESSION_NAME)\b", said.seen)
    assert found, said.seen
    unset(place, found[0])


def _asks_for_less(place: Machine, said: Said) -> None:
    assert "duration_seconds is" in said.seen
    option(place, "--duration-seconds", None)


def _profile(place: Machine, said: Said) -> None:
    """Look at an option and a variable, whichever names the profile that does not exist."""
    missing = re.search(r"profile \((\w+)\)", said.seen)
    assert missing
    if missing[1] in place.arguments:
        option(place, said["option"], None)
    else:
        assert os.environ[said["name"]] == missing[1]
        unset(place, said["name"])


def _from_another_login(place: Machine, said: Said) -> None:
    """Have the function's variables in the process again."""
    workload(place).runs_on("lambda")


# -- tokens and files --------------------------------------------------------------------------


def _new_token(place: Machine, said: Said) -> None:
    if isinstance(place, Pod):
        path = place.file("id-token", place.cloud.mint())
        option(place, "--id-token-file", path)
    else:
        workload(place).token_file()


def _token_for(place: Machine, said: Said) -> None:
    """Project a token for the audience that is printed."""
    workload(place).token_file(place.cloud.eks_token(said["audience"]))


def _impersonates(place: Machine, said: Said) -> None:
    place.logs_in_to_google()
    option(place, said["option"], place.cloud.service_account.email)


def _source(place: Machine, said: Said) -> None:
    option(place, "--source", said["source"])
    if said["source"] == "token-file":
        workload(place).token_file()


def _audience(place: Machine, said: Said) -> None:
    """Give a provider's name of the printed form."""
    right = workload(place).provider.audience
    form = re.sub("NUMBER|POOL|PROVIDER", "[^/]+", said["form"])
    assert re.fullmatch(form, right)
    place.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=right)


def _number(place: Machine, said: Said) -> None:
    """Put the project's number where its id is."""
    wrong, right = os.environ["GCP_AWS_BRIDGE_GOOGLE_AUDIENCE"], workload(place).provider.audience
    given = wrong.replace(f"/{said['project']}/", f"/{right.split('/')[4]}/")
    place.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=given)


def _google_files_address(place: Machine, said: Said) -> None:
    """Correct the address in the file, of which the finding says that it is plain HTTP."""
    path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    document = json.loads(path.read_text())
    assert document["token_url"] in said.seen
    url = f"{place.cloud.google_sts.url}/v1/token"
    path.write_text(json.dumps({**document, "token_url": url}))


def _without_denial(place: Machine, said: Said) -> None:
    """Take the statement that is named out of the trust policy."""
    at = re.search(r"Statement\[(\d+)\] \(Deny\)", said.seen)
    assert at, said.seen
    document = json.loads(said.seen.partition("The policy: ")[2].strip())
    assert "Deny" == document["Statement"].pop(int(at[1]))["Effect"]
    place.cloud.add_role(ROLE, document)


def _hop(place: Machine, said: Said) -> None:
    """Allow the call on the one side, and admit the role on the other."""
    place.cloud.allow(said["role"], "sts:AssumeRole", on=said["target"])
    admitted = {"Effect": "Allow", "Principal": {"AWS": said["role"]}, "Action": "sts:AssumeRole"}
    place.cloud.add_role(said["target"], {"Version": "2012-10-17", "Statement": [admitted]})


def _trusts_ec2(place: Machine, said: Said) -> None:
    assert said["role"] == ON_AWS.rpartition("/")[2]
    assert "does not admit ec2.amazonaws.com" in said.seen
    place.cloud.add_role(ON_AWS, place.cloud.trust_policy_for_service("ec2.amazonaws.com"))


# -- the network and the services --------------------------------------------------------------


def restored(place: Machine, link: str) -> None:
    """Let the requests of one link through to its service, and no others."""
    if isinstance(place, Pod):
        if link == "metadata":
            place.metadata_at(f"127.0.0.1:{place.cloud.metadata.port}")
            place.cloud.metadata.clear_faults()
        else:
            _sts_again(place)
        return
    at = workload(place)
    if link in ("sts", "aws") or (link == "token" and "outbound" in os.environ.values()):
        _sts_again(place)
    elif link in ("google", "exchange"):
        at.google_at(place.cloud.google_sts.url, _federation._IAM)
        place.cloud.google_sts.clear_faults()
    else:
        at.google_at(_federation._STS.removesuffix("/v1/token"), place.cloud.iam_credentials.url)
        place.cloud.iam_credentials.clear_faults()


def _sts_again(place: Machine) -> None:
    place.set(AWS_ENDPOINT_URL_STS=place.cloud.sts.url)
    place.cloud.sts.clear_faults()


_VARIABLES = {
    "HTTPS_PROXY": ("HTTPS_PROXY", "https_proxy"),
    "AWS_CA_BUNDLE": ("AWS_CA_BUNDLE",),
    "REQUESTS_CA_BUNDLE": ("REQUESTS_CA_BUNDLE",),
    "AWS_DEFAULT_REGION": ("AWS_DEFAULT_REGION", "AWS_REGION"),
}


def _address(place: Machine, link: str) -> str:
    """Return where the requests of a link go now, without scheme and path."""
    if isinstance(place, Workload) and link not in ("sts", "token", "aws"):
        url = _federation._STS if link in ("google", "exchange") else _federation._IAM
    else:
        url = os.environ.get("AWS_ENDPOINT_URL_STS", "https://sts.us-east-1.amazonaws.com")
    return urlsplit(url).hostname or url


def _opens(place: Machine, said: Said) -> None:
    """Open the way to the address that is named, and unset the variables that are."""
    link = said.finding["link"]
    variables = [name for name in _VARIABLES if name in said.fix]
    names_it = _address(place, link) in said.fix or "AWS_ENDPOINT_URL_STS" in said.fix
    assert names_it or variables, said.fix
    for name in variables:
        unset(place, *_VARIABLES[name])
    restored(place, link)


def _opens_metadata(place: Machine, said: Said) -> None:
    """Open the way to the metadata server's address, which the fix names."""
    restored(place, "metadata")


def _restarts_metadata(place: Machine, said: Said) -> None:
    """Delete the server's pod: the next one answers, at the same address."""
    restored(place, "metadata")


def _waits(place: Machine, said: Said) -> None:
    """Wait for an outage to end: nothing is to be changed."""
    restored(place, said.finding["link"])


def _waits_for_a_new_pod(place: Machine, said: Said) -> None:
    assert isinstance(place, Pod)
    place.started(60)
    restored(place, "metadata")


def _agent(place: Machine, said: Said) -> None:
    workload(place).cloud.pod_identity.clear_faults()
    workload(place).runs_on("eks")


def _identity_center(place: Machine, said: Said) -> None:
    """Let requests pass to the portal of IAM Identity Center, which the finding names."""
    assert "IAM Identity Center" in said.seen
    place.cloud.sso.clear_faults()


def _task(place: Machine, said: Said) -> None:
    workload(place).runs_on("ecs")


def _cluster_starts_again(place: Machine, said: Said) -> None:
    assert said["name"] not in os.environ  # by the command
    workload(place).runs_on("eks")


def _new_certificate(place: Machine, said: Said) -> None:
    """What answers at that address gets a new certificate, of the same authority's file."""
    relay = place._stack.enter_context(sockets.tls_relay(place.folder, place.cloud.sts.url))
    place.set(AWS_ENDPOINT_URL_STS=relay)


def _token_endpoint(place: Machine, said: Said) -> None:
    """Google's token endpoint for key files answers again."""
    place.cloud.key_files.clear_faults()


def _impersonation_resolves(place: Machine, said: Said) -> None:
    """The name of the IAM Credentials API resolves to the emulator."""
    path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    document = json.loads(path.read_text())
    name = "service_account_impersonation_url"
    host, _, rest = document[name].removeprefix("https://").partition("/")
    assert host.startswith("iamcredentials.")
    assert host in said.seen
    document[name] = f"{place.cloud.iam_credentials.url}/{rest}"
    path.write_text(json.dumps(document))


def _clock(place: Machine, said: Said) -> None:
    place.clouds_are(0)


def _nodes_clock(place: Machine, said: Said) -> None:
    place.cloud.metadata.clear_faults()


def _no_cache(place: Machine, said: Said) -> None:
    place.cloud.sts.clear_faults()
    if isinstance(place, Workload):
        place.cloud.google_sts.clear_faults()
        place.cloud.iam_credentials.clear_faults()


def _own_network(place: Machine, said: Said) -> None:
    """A pod that is not in its node's network is answered by GKE's metadata server."""
    place.cloud.metadata.clear_faults()


def _region_enabled(place: Machine, said: Said) -> None:
    """STS is activated in the account's settings, for which a fault of the emulator stands."""
    place.cloud.sts.clear_faults()


def _role_updated(place: Machine, said: Said) -> None:
    """IAM knows the changed policy in every region after a minute."""
    place.cloud.add_role(ROLE)


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
        lambda place, said: option(place, "--duration-seconds", said["value"]),
    ),
    "config/google-setting": (
        r"give (?P<value>\d+) to \d+",
        lambda place, said: option(place, "--lifetime-seconds", said["value"]),
    ),
    "doctor/google-lifetime": (
        "leave lifetime_s out",
        lambda place, said: option(place, "--lifetime-seconds", None),
    ),
    "exchange/duration": ("^ask for less", _asks_for_less),
    "hops-duration": (
        "raise the role's maximum session duration",
        lambda place, said: place.cloud.sts.clear_faults(),
    ),
    "doctor/config-file": (
        f"set {_VARIABLE} to another",
        _sets_to(lambda place: place.file("another", "[default]\n")),
    ),
    "config/profile": (rf"look at (?P<option>--[a-z]+), {_VARIABLE}", _profile),
    "config/session-name": ("omit it", _unsets_seen),
    "doctor/web-identity-variables": (f"set {_VARIABLE}", _sets_to(lambda place: ROLE)),
    "config/google-none": (
        f"set {_VARIABLE}",
        _sets_to(lambda place: workload(place).provider.audience),
    ),
    "config/google-audience": (r"give (?P<form>//\S+[A-Z])\.", _audience),
    "google-settings-project-id": (
        r"gcloud projects describe (?P<project>\S+) --format='value\(projectNumber\)'",
        _number,
    ),
    "config/google-service-account": (
        "give NAME@PROJECT.iam.gserviceaccount.com",
        lambda place, said: place.set(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT=EMAIL),
    ),
    "google-settings-source": (
        "give one of (?P<source>signed-request)",
        lambda place, said: place.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE=said["source"]),
    ),
    "google-settings-file-executable": (
        f"set {_VARIABLE}=(?P<value>[a-z-]+) where the provider is of AWS",
        _sets,
    ),
    "google-settings-no-token-file": (
        f"set {_VARIABLE} to the path of a projected serviceAccountToken",
        lambda place, said: (
            workload(place).oidc_provider(),
            place.set(
                **{
                    said["name"]: place.file(
                        "new", place.cloud.eks_token(place.provider.audiences[0])
                    )
                }
            ),
        )[0],
    ),
    "config/google-plain-http": ("give an https:// address, or none", _google_files_address),
    "google-aws-lambda-cleared": ("with the variables of the function", _from_another_login),
    "doctor/container-address": (f"unset {_VARIABLE}", _cluster_starts_again),
    "doctor/aws-keys": (f"unset {_VARIABLE}", lambda place, said: None),
    "doctor/aws-long-lived-keys": (
        "take the keys away",
        lambda place, said: unset(place, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
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
        lambda place, said: restored(place, "metadata"),
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
    "doctor/google-stale": ("let what writes the token file write it anew", _no_cache),
    "place-laptop-login": ("or gcp-aws-bridge doctor (?P<option>--impersonate)", _impersonates),
    "place-ec2": ("--id-token-file", _new_token),
    # Roles.
    "exchange-denied-outright": ("and change what is named above", _without_denial),
    "exchange/chained-role": (
        (
            rf"allow sts:AssumeRole on (?P<target>{_ARN}) in the permissions of (?P<role>{_ARN}), "
            r"and that role as AWS principal in the trust policy of (?P=target)\."
        ),
        _hop,
    ),
    "doctor/instance-role": (
        r"get-role --role-name (?P<role>\w+) --query Role.AssumeRolePolicyDocument",
        _trusts_ec2,
    ),
    "doctor/not-the-role": ("try again in a minute", _role_updated),
    "exchange/region": ("enable STS in this region in the IAM console", _region_enabled),
    # Clocks.
    "doctor/clock": ("set the clock by NTP: sudo chronyc makestep", _clock),
    "doctor/metadata-clock": ("on the pod's node: date -u; sudo chronyc makestep", _nodes_clock),
    "doctor/sts-clock": ("let requests pass the proxy that answers from a cache", _no_cache),
    "doctor/google-clock": ("let requests pass the proxy that answers from a cache", _no_cache),
    # The network.
    "doctor/host-network": ("take hostNetwork: true out of the pod", _own_network),
    "doctor/metadata-blocked": (f"allow egress to {_METADATA}/32 port 80", _opens_metadata),
    "doctor/metadata-closed": (_SERVER, _restarts_metadata),
    "token/metadata-not-ready": (
        f"{_SERVER}|look at the node's gke-metadata-server pods",
        _restarts_metadata,
    ),
    "token/metadata-refused": (_SERVER, _restarts_metadata),
    "doctor/metadata-cut": (f"keep {_METADATA}/32 out of the mesh", _opens_metadata),
    "doctor/metadata-forwarded": (f"keep {_METADATA}/32 out of the mesh", _opens_metadata),
    "token/not-google": (f"take what answers out of the way of {_METADATA}", _opens_metadata),
    "doctor/new-pod": ("try again in half a minute", _waits_for_a_new_pod),
    **dict.fromkeys(
        ("doctor/sts-blocked", "doctor/google-blocked"),
        (r"allow egress to port 443 of \S+", _opens),
    ),
    "doctor/sts-closed": (
        r"look at the address \(AWS_ENDPOINT_URL_STS\) and at the routes",
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
        (r"mend HTTPS_PROXY, or except (?:STS from )?it: export NO_PROXY=\S+", _opens),
    ),
    "doctor/sts-tls": ("AWS_CA_BUNDLE|check AWS_ENDPOINT_URL_STS", _opens),
    "doctor/google-tls": ("REQUESTS_CA_BUNDLE", _opens),
    "sts-tls-expired": ("what answers there needs a new certificate", _new_certificate),
    "doctor/google-closed": ("look at firewalls that read names in TLS, and at routes", _opens),
    "exchange/unreachable": (r"egress rules \(port 443\).* for the STS endpoint", _waits),
    "exchange/google-unreachable": (r"check egress rules, .* for \S+, port 443", _opens),
    "exchange/garbage": ("look at AWS_ENDPOINT_URL_STS and at proxies on the way", _opens),
    "exchange/google-answer": ("look at proxies on the way, and at the", _waits),
    "google-exchange-format": ("a proxy changes requests", _waits),
    "doctor/token-timeout": (r"curl .* https://oauth2\.googleapis\.com", _token_endpoint),
    "token/google-unreachable": (
        r"DNS, at egress to port 443 of iamcredentials\.googleapis\.com",
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
    "doctor/somebody-else": ("look at AWS_ENDPOINT_URL_STS", _opens),
    "exchange/refused": ("unset AWS_ENDPOINT_URL_STS", _opens),
    "config/sts-client": ("check region, AWS_ENDPOINT_URL_STS", _opens),
    "google-sts-region-of-a-zone": (
        "check region",
        lambda place, said: place.set(AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1"),
    ),
    "config/sts-plain-http": ("unset AWS_ENDPOINT_URL_STS", _opens),
}
