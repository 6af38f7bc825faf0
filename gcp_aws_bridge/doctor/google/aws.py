"""Checks which botocore provider finds AWS keys, and to which principal they belong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, NamedTuple

from botocore.credentials import ContainerProvider, CredentialProvider
from botocore.utils import ContainerMetadataFetcher

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.google import aws_errors, instance, pods
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError, quoted

# Findings that depend on the identity, not on the request.
_DENIED = ("exchange/google-condition", "doctor/google-binding", "doctor/google-aws-account")
_INSTANCE = "iam-role"
# Where long-lived keys are kept.
_STORED = frozenset({"env", "shared-credentials-file", "config-file"})


class _Found(NamedTuple):
    """Keys, and the `METHOD` of the botocore provider that found them. No token: not temporary."""

    method: str
    keys: AwsCredentials


def check_aws(context: GoogleContext) -> Iterator[Finding]:
    """Get keys as the library does, provider by provider, and ask AWS for their principal."""
    if context.is_file:
        yield Finding("aws", "skipped", "Not needed: the token comes from a file.")
        return
    found = _first_keys(context)
    if isinstance(found, Finding):
        yield found
        return
    # The following checks sign with these keys, so that no provider is called again.
    context.session.set_credentials(
        found.keys.access_key_id, found.keys.secret_access_key, found.keys.session_token or None
    )
    yield from _principal(context, found)


def _first_keys(context: GoogleContext) -> _Found | Finding:
    """Return the first keys in botocore's order of providers, or why there are none."""
    for provider in context.session.get_component("credential_provider").providers:
        method = provider.METHOD
        if method == _INSTANCE and not _instance_has_role(context):
            continue
        try:
            found = context.within(partial(_load, _without_pauses(provider)))
        except TimeoutError:
            return aws_errors.timed_out(context, method)
        except Exception as error:  # noqa: BLE001 - each botocore provider raises its own
            return aws_errors.explain(context, method, error)
        if found is not None:
            return found
    return aws_errors.none(context)


def _instance_has_role(context: GoogleContext) -> bool:
    """Ask the instance first: botocore does not report why it found no keys there."""
    if instance.is_disabled():
        return False
    limit_s = context.request_timeout_s
    context.instance = instance.probe(context.session, context.world, limit_s)
    return bool(context.instance.role)


def _without_pauses(provider: CredentialProvider) -> CredentialProvider:
    if isinstance(provider, ContainerProvider):  # it pauses a second between its three attempts
        fetcher: Any = ContainerMetadataFetcher(sleep=lambda _: None)
        return ContainerProvider(fetcher=fetcher)
    return provider


def _load(provider: CredentialProvider) -> _Found | None:
    with wire_logs_silenced():
        credentials = provider.load()
        if credentials is None:
            return None
        frozen = credentials.get_frozen_credentials()
    far = datetime.max.replace(tzinfo=timezone.utc) - timedelta(days=1)  # not known, nor used
    keys = AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token or "", far)
    return _Found(str(credentials.method), keys)


def _principal(context: GoogleContext, found: _Found) -> Iterator[Finding]:
    origin = aws_errors.origin(found.method)
    seen = f"Keys from {origin}."
    sts = context.sts
    if sts is None or "AWS" not in context.clocks:
        yield Finding("aws", "ok", f"{seen} Their principal is not known: STS is not reached.")
        return
    try:
        context.caller = context.within(lambda: sts.caller_identity(found.keys))
    except TimeoutError:
        seen += f" AWS did not name their principal within {context.timeout_s:g} s."
        yield Finding("aws", "note", seen)
    except ExchangeError as error:
        yield _rejected(context, found.method, error)
    else:
        yield Finding("aws", "ok", f"{quoted(context.caller, 2048)}, by {origin}.")
        yield from _warnings(context, found)


def _rejected(context: GoogleContext, method: str, error: ExchangeError) -> Finding:
    found = Finding.of("aws", error)
    if error.error_id != "exchange/refused":
        return found
    return replace(
        found,
        seen=f"AWS rejects the keys from {aws_errors.origin(method)}: {error.args[0]}",
        wanted="Keys that aws sts get-caller-identity accepts.",
        fix=aws_errors.replacement(context, method),
        id="doctor/aws-keys",
    )


def _warnings(context: GoogleContext, found: _Found) -> Iterator[Finding]:
    """Warn about identities that work but are usually not the intended ones."""
    caller = quoted(context.caller, 2048)
    if found.method in _STORED and not found.keys.session_token:
        yield Finding(
            "aws",
            "warning",
            f"These keys do not expire. They are keys of {caller}, from "
            f"{aws_errors.origin(found.method)}: a copy of them gives that user's access, and a "
            "provider that admits a role does not admit a user.",
            wanted="Temporary keys of a role: EKS Pod Identity, IRSA, an instance profile, SSO.",
            fix="give the workload a role: gcp-aws-bridge setup --on eks\n"
            "then remove the keys: aws iam delete-access-key",
            id="doctor/aws-long-lived-keys",
            explains=_DENIED,
        )
    elif found.method == _INSTANCE and machine.in_kubernetes():
        yield Finding(
            "aws",
            "warning",
            f"{caller} is the role of the node, not of this pod: there was no Pod Identity "
            "association and no annotation of IRSA when the pod was created.",
            wanted="A role of the pod's own Kubernetes service account.",
            fix=pods.associate(),
            id="doctor/aws-node-role",
            explains=_DENIED,
        )
