"""Checks the credentials that a sidecar serves to the AWS SDKs of this container."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import botocore.exceptions
from botocore.session import Session

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.session_settings import role_for
from gcp_aws_bridge._tokens import http
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import earlier, injected
from gcp_aws_bridge.doctor.context import AwsContext, until
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import BridgeError, quoted
from gcp_aws_bridge.inject.variables import SERVE, VARIABLES

_broken = partial(Finding, "exchange", "broken")


def is_served(arguments: Mapping[str, Any], session: Session) -> bool:
    """Return whether the sidecar has the role, and no setting of this container names one."""
    if "google" not in injected.methods() or os.environ.get(injected.TOKEN_FILE):
        return False
    try:
        return role_for(session, None, **arguments) is None
    except (BridgeError, botocore.exceptions.BotoCoreError):
        return False  # the check of the settings reports it


def check_settings(context: AwsContext) -> Iterator[Finding]:
    """Report that the sidecar has the settings, and warn about identities that SDKs find first."""
    yield Finding("settings", "skipped", f"Role and audience are settings of the sidecar {SERVE}.")
    yield from earlier.check(context.session, of_sdk=True)


def check_exchange(context: AwsContext) -> Iterator[Finding]:
    """Get credentials from the sidecar, as AWS SDKs do."""
    url, path_of_token = VARIABLES["google"].values()
    host, _, path = url.removeprefix("http://").partition("/")
    with open(path_of_token, encoding="ascii", errors="replace") as file:
        headers = {"Authorization": file.read().strip()}
    try:
        answer = http.get(
            host,
            f"/{path}",
            headers,
            timeout_s=context.request_timeout_s,
            monotonic=context.world.monotonic,
        )
    except (http.Unreachable, http.InvalidHost) as error:
        yield _not_served(f"does not answer at {quoted(host)}: {error}")
        return
    if answer.status == 401:
        seen = "rejects the authorization token of this container: the sidecar has a different one"
        yield replace(_not_served(seen), fix=injected.RECREATE)
        return
    if answer.status != 200:
        yield _not_served(f"answers with status {answer.status}: {quoted(answer.body, 1000)}")
        return
    try:
        found = json.loads(answer.body)
        expiration = datetime.fromisoformat(found["Expiration"].replace("Z", "+00:00"))
        keys = (found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
        context.role = Role(found["RoleArn"])
    except (BridgeError, ValueError, LookupError, TypeError, AttributeError):
        yield _not_served(
            "answers with something other than credentials: another program uses its port"
        )
        return
    context.credentials = AwsCredentials(*keys, expiration)
    yield Finding("exchange", "ok", f"The sidecar serves {context.role.arn}, {until(expiration)}.")


def _not_served(seen: str) -> Finding:
    return _broken(
        f"The sidecar {SERVE} {seen}.",
        wanted="Credentials of the role.",
        fix=f"kubectl exec POD -c {SERVE} -- gcp-aws-bridge doctor",
        id="doctor/injected-served",
    )
