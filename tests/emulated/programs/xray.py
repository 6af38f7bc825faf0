"""The AWS X-Ray SDK, which raises for each call outside a segment, around all kinds of exchange."""

from __future__ import annotations

import asyncio
import json
import time

from aws_xray_sdk.core import patch_all, xray_recorder

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import registry

ROLE = "arn:aws:iam::123456789012:role/etl"
sent: list[str] = []
ahead_s = 0.0


class Emitter:
    def send_entity(self, entity: object) -> None:
        sent.append(entity.serialize())  # type: ignore[attr-defined]


patch_all()
xray_recorder.configure(context_missing="RUNTIME_ERROR", emitter=Emitter(), sampling=False)
registry.world = World(monotonic=lambda: time.monotonic() + ahead_s)
token: list[str] = []


def source() -> str:
    token.append(bridge.MetadataServer()())
    return token[-1]


with xray_recorder.in_segment("a request"):
    credentials = bridge.credentials(ROLE, token_source=source)
    first = credentials.get_frozen_credentials()
foreground = len(sent)
ahead_s = 2400.0
credentials.get_frozen_credentials()  # outside any segment, without a request to STS
deadline = time.monotonic() + 30
while credentials.get_frozen_credentials() == first and time.monotonic() < deadline:
    time.sleep(0.01)
second = credentials.get_frozen_credentials()
other = bridge.credentials(ROLE, token_source=source, role_session_name="task")
asyncio.run(other._cache.get_async())
text = " ".join(sent)
secrets = [*token, first.secret_key, first.token, second.secret_key, second.token]
print(
    json.dumps(
        {
            "refreshed": second != first,
            "segments": [foreground, len(sent)],
            "sts": "AssumeRoleWithWebIdentity" in text,
            "seen": [secret[:9] for secret in secrets if secret in text],
            "errors": "SegmentNotFound" in text,
        }
    )
)
