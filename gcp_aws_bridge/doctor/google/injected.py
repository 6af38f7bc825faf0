"""Checks what annotations added to this container for Google Cloud, and the sidecar."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from gcp_aws_bridge._tokens import http
from gcp_aws_bridge._tokens.environment import gcloud_file
from gcp_aws_bridge._tokens.metadata import look_up
from gcp_aws_bridge.doctor import injected
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import BridgeError, quoted
from gcp_aws_bridge.google._federation import configured
from gcp_aws_bridge.inject.variables import GOOGLE_SERVE, VARIABLES

_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"


def is_served(arguments: Mapping[str, Any]) -> bool:
    """Return whether the sidecar has the provider, and no setting of this container names one."""
    if "google-serve" not in injected.methods():
        return False
    try:
        configured(audience=arguments.get("audience"))
    except BridgeError as error:
        return error.error_id == "config/google-none"
    return False


def check(context: GoogleContext) -> Iterator[Finding]:
    """Check the variables and files for Google Cloud; name those for AWS."""
    for method in injected.methods():
        if method == "google-cloud":
            yield _file()
        elif method == "google-serve":
            yield from _server(context)
        else:
            seen = f"{method}, for AWS: gcp-aws-bridge doctor checks it."
            yield Finding("injected", "note", seen)


def _file() -> Finding:
    path = VARIABLES["google-cloud"]["GOOGLE_APPLICATION_CREDENTIALS"]
    if found := injected.unreadable("google-cloud", path):
        return found
    try:
        with open(path, encoding="utf-8") as file:
            token = str(json.load(file)["credential_source"]["file"])
    except (OSError, ValueError, LookupError, TypeError):
        return Finding(
            "injected",
            "broken",
            f"google-cloud: the file {quoted(path)} is empty or was changed: the pod no longer has "
            "the annotation gcp-aws-bridge/google-credentials, from which the kubelet writes it.",
            wanted="The annotation, which the webhook adds when a pod is created.",
            fix=injected.RECREATE,
            id="doctor/injected-credentials",
        )
    if found := injected.unreadable("google-cloud", token):
        return found
    seen = f"Google's SDKs exchange the token of the cluster in {quoted(token)}, by {quoted(path)}"
    return Finding("injected", "ok", f"google-cloud: {seen}.")


def _server(context: GoogleContext) -> Iterator[Finding]:
    if found := injected.unreachable("google-serve", context.timeout_s):
        yield found
        return
    seen = f"Google's SDKs get tokens from the sidecar {GOOGLE_SERVE}, as from a metadata server"
    yield Finding("injected", "ok", f"google-serve: {seen}.")
    yield from injected.proxied("google-serve")


def check_settings(context: GoogleContext) -> Iterator[Finding]:
    """Report that the sidecar has the settings, and warn about a login that SDKs find first."""
    seen = f"Provider and service account are settings of the sidecar {GOOGLE_SERVE}."
    yield Finding("settings", "skipped", seen)
    # google-auth, "Application Default Credentials": the order of sources.
    variable, login = "GOOGLE_APPLICATION_CREDENTIALS", gcloud_file(os.environ)
    if os.environ.get(variable):
        first, fix = f"the file of {variable}", f"unset {variable}"
    elif os.path.isfile(login):
        first, fix = f"the login of gcloud in {quoted(login)}", f"delete {quoted(login)}"
    else:
        return
    yield Finding(
        "settings",
        "warning",
        f"Google's SDKs use {first} first, and not the sidecar.",
        wanted="One identity, from the sidecar.",
        fix=fix,
        id="doctor/google-key-file",
    )


def check_exchange(context: GoogleContext) -> Iterator[Finding]:
    """Get an access token from the sidecar, as Google's SDKs do."""
    try:
        answer = _asked(context, "token")
        if answer.status == 200:
            seconds = int(json.loads(answer.body)["expires_in"])
            email = quoted(_asked(context, "email").body)
            yield Finding("exchange", "ok", f"A token of {email}; {seconds // 60} minutes left.")
            return
        seen = f"answers with status {answer.status}: {quoted(answer.body, 1000)}"
    except http.Unreachable as error:
        seen = f"does not answer: {error}"
    except (ValueError, LookupError, TypeError):
        seen = "does not answer with a token: another program uses its port"
    yield Finding(
        "exchange",
        "broken",
        f"The sidecar {GOOGLE_SERVE} {seen}.",
        wanted="A token of the service account.",
        fix=f"kubectl exec POD -c {GOOGLE_SERVE} -- gcp-aws-bridge doctor --google",
        id="doctor/injected-served",
    )


def _asked(context: GoogleContext, name: str) -> http.Answer:
    return look_up(
        f"{_ACCOUNT}/{name}",
        host=VARIABLES["google-serve"]["GCE_METADATA_HOST"],
        timeout_s=context.request_timeout_s,
        monotonic=context.world.monotonic,
    )
