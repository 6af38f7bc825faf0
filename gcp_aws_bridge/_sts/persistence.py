"""State of a credential cache as a JSON document, for processes that end before credentials expire.

Invariant: a process continues where another one ended. The document has the credentials, the time
of their refresh, and the back-off after a failure; the cache has the rules. Times are of the wall
clock, the only clock that two processes share.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from gcp_aws_bridge import exceptions
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.policy import Failure, Instant, Kept, Memory
from gcp_aws_bridge._sts.credentials import AwsCredentials

_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


def dump(memory: Memory, world: World) -> dict[str, Any]:
    """Return *memory* for JSON. The document contains the credentials."""
    now, now_s = world.clock().timestamp(), world.monotonic()
    document: dict[str, Any] = {}
    if memory.kept is not None:
        kept = memory.kept
        document["fresh_until"] = min(kept.advisory_at, kept.mandatory_at).timestamp()
        document["credentials"] = aws_json(kept.credentials)
        document["advisory_at"] = kept.advisory_at.timestamp()
        document["mandatory_at"] = kept.mandatory_at.timestamp()
        document["life_s"] = kept.life_s
    if memory.failure is not None:
        failure = memory.failure
        document["failure"] = {
            "number": failure.number,
            "pause_s": failure.pause_s,
            "retry_at": now + failure.retry_at_s - now_s,
            "remembered_until": now + failure.remembered_until_s - now_s,
            "error": _error_json(failure.error),
        }
    return document


def load(document: Mapping[str, Any], world: World) -> Memory:
    """Return the memory in *document*; an empty memory if `dump` did not write it."""
    now, now_s = world.clock(), world.monotonic()
    try:
        return Memory(_kept(document, now, now_s), _failure(document, now.timestamp(), now_s))
    except (AttributeError, KeyError, OverflowError, OSError, TypeError, ValueError):
        return Memory()


def aws_json(credentials: AwsCredentials) -> dict[str, str]:
    """Return AWS's JSON format (SDKs and Tools reference, "Process credential provider")."""
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": f"{credentials.expiration.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "AccountId": credentials.account_id,
    }


def _kept(document: Mapping[str, Any], now: datetime, now_s: float) -> Kept | None:
    if "credentials" not in document:
        return None
    found = document["credentials"]
    advisory_at = datetime.fromtimestamp(document["advisory_at"], timezone.utc)
    mandatory_at = datetime.fromtimestamp(document["mandatory_at"], timezone.utc)
    expiration = datetime.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
    key_id, secret, token = parts = [found[name] for name in _FIELDS]
    account_id = found["AccountId"]
    if not all(isinstance(part, str) and part for part in parts) or not isinstance(account_id, str):
        raise ValueError("not credentials")

    def instant(at: datetime, limit: datetime) -> Instant:
        return Instant(min(at, limit), now_s + (at - now) / timedelta(seconds=1))

    return Kept(
        AwsCredentials(key_id, secret, token, expiration, account_id),
        advisory=instant(advisory_at, mandatory_at),
        mandatory=instant(mandatory_at, expiration),
        life_s=float(document["life_s"]),
    )


def _failure(document: Mapping[str, Any], now: float, now_s: float) -> Failure | None:
    if "failure" not in document:
        return None
    found = document["failure"]
    pause_s = float(found["pause_s"])
    retry_in_s = min(found["retry_at"] - now, pause_s)  # even if the clock was set back
    remembered_s = min(found["remembered_until"] - now, pause_s)
    return Failure(
        _error(found["error"]),
        int(found["number"]),
        pause_s,
        now_s + retry_in_s,
        now_s + remembered_s,
    )


def _error_json(error: exceptions.BridgeError) -> dict[str, Any]:
    return {"kind": type(error).__name__, "summary": error.args[0], **_plain(vars(error))}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if isinstance(value, (str, bool))}


def _error(found: Mapping[str, Any]) -> exceptions.BridgeError:
    kind = found["kind"]
    if kind not in exceptions.__all__:
        raise ValueError("not an error of ours")
    fields = _plain({name: found[name] for name in found.keys() - {"kind", "summary"}})
    made: exceptions.BridgeError = getattr(exceptions, kind)(str(found["summary"]))
    vars(made).update(fields)
    return made
