"""The AWS identity: which of botocore's providers has it, and who that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from botocore.credentials import ContainerProvider, CredentialProvider
from botocore.utils import ContainerMetadataFetcher

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.context import left
from gcp_aws_bridge.doctor.google import aws_errors, instance
from gcp_aws_bridge.doctor.google.context import Keys, Walk
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError, quoted

# Refusals that are of who this is, and not of how it was asked.
_OF_IDENTITY = ("exchange/google-condition", "doctor/google-binding", "doctor/google-aws-account")
_INSTANCE = "iam-role"
# What has no session token and no end, in the places where people leave such keys.
_AT_REST = frozenset({"env", "shared-credentials-file", "config-file"})


def check_aws(walk: Walk) -> Iterator[Finding]:
    """Get keys as the library would, provider by provider, and ask AWS whose they are."""
    if walk.is_file:
        yield Finding("aws", "skipped", "Not needed: the token comes from a file.")
        return
    found = _first(walk)
    if isinstance(found, Finding):
        yield found
        return
    walk.keys = found
    # From here on, what signs has these, and no provider is asked again.
    walk.session.set_credentials(
        found.access_key_id, found.secret_access_key, found.session_token or None
    )
    yield from _who(walk, found)


def _first(walk: Walk) -> Keys | Finding:
    """The first keys of botocore's chain, or why there are none."""
    for provider in walk.session.get_component("credential_provider").providers:
        method = provider.METHOD
        if method == _INSTANCE and not _instance_has_role(walk):
            continue
        try:
            found = walk.within(partial(_keys, _hurried(provider)))
        except TimeoutError:
            return aws_errors.timed_out(walk, method)
        except Exception as error:  # noqa: BLE001 - each of botocore's providers has its own
            return aws_errors.explain(walk, method, error)
        if found is not None:
            return found
    return aws_errors.none(walk)


def _instance_has_role(walk: Walk) -> bool:
    """Ask first what botocore, for all answers and none, only leaves out."""
    if instance.is_disabled():
        return False
    walk.instance = instance.probe(walk.session, walk.world, walk.inner_timeout_s)
    return bool(walk.instance.role)


def _hurried(provider: CredentialProvider) -> CredentialProvider:
    if isinstance(provider, ContainerProvider):  # between its three tries it sleeps a second
        quick: Any = ContainerMetadataFetcher(sleep=lambda _: None)
        return ContainerProvider(fetcher=quick)
    return provider


def _keys(provider: CredentialProvider) -> Keys | None:
    with wire_logs_silenced():
        credentials = provider.load()
        if credentials is None:
            return None
        frozen = credentials.get_frozen_credentials()
    method = str(credentials.method)
    return Keys(method, frozen.access_key, frozen.secret_key, frozen.token or "")


def _who(walk: Walk, keys: Keys) -> Iterator[Finding]:
    origin = aws_errors.origin(keys.method)
    sts = walk.sts
    if sts is None or "AWS" not in walk.clocks:
        words = f"Keys from {origin}. Whose they are could not be asked: AWS's STS is not reached."
        yield Finding("aws", "ok", words)
        return
    ends = datetime.max.replace(tzinfo=timezone.utc) - timedelta(days=1)  # not told, nor used
    asked = AwsCredentials(
        keys.access_key_id, keys.secret_access_key, keys.session_token, expiration=ends
    )
    try:
        walk.caller = walk.within(lambda: sts.caller_identity(asked))
    except TimeoutError:
        words = f"Keys from {origin}. AWS did not say whose within {walk.timeout_s:g} s."
        yield Finding("aws", "note", words)
        return
    except ExchangeError as error:
        yield _refused(walk, origin, error)
        return
    yield Finding("aws", "ok", f"{quoted(walk.caller, 2048)}, by {origin}.")
    yield from _doubts(walk, keys)


def _refused(walk: Walk, origin: str, error: ExchangeError) -> Finding:
    found = Finding.of("aws", error)
    if error.error_id != "exchange/refused":
        return found
    return replace(
        found,
        seen=f"AWS does not take the keys from {origin}: {error.args[0]}",
        wanted="Keys that aws sts get-caller-identity takes.",
        fix=aws_errors.renewal(walk, left(walk.keys).method),
        id="doctor/aws-keys",
    )


def _doubts(walk: Walk, keys: Keys) -> Iterator[Finding]:
    """What works, and is mostly somebody else than was meant."""
    if keys.method in _AT_REST and not keys.session_token:
        yield Finding(
            "aws",
            "warning",
            f"These are keys that do not end, of {quoted(walk.caller, 2048)}, from "
            f"{aws_errors.origin(keys.method)}: a copy of them is that user, and a provider that "
            "admits a role does not admit a user.",
            wanted="Temporary keys of a role: EKS Pod Identity, IRSA, an instance profile, SSO.",
            fix="give the workload a role: gcp-aws-bridge setup --on eks\n"
            "then take the keys away: aws iam delete-access-key",
            id="doctor/aws-long-lived-keys",
            explains=_OF_IDENTITY,
        )
    elif keys.method == _INSTANCE and machine.in_kubernetes():
        yield Finding(
            "aws",
            "warning",
            f"{quoted(walk.caller, 2048)} is the role of the node, not of this pod: no Pod "
            "Identity association and no annotation of IRSA was there when the pod was made.",
            wanted="A role of the pod's own Kubernetes service account.",
            fix=aws_errors.associate(),
            id="doctor/aws-node-role",
            explains=_OF_IDENTITY,
        )
