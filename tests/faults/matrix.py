"""The fault matrix as data: the effect of each fault of each server."""

from __future__ import annotations

from collections.abc import Iterator

from gcp_aws_bridge.emulator import Fault

from .outcomes import (
    Outcomes,
    Row,
    Server,
    failed,
    harmless,
    refused,
    served,
    tried_again,
    waited_for,
)

# A free port that refuses connections: no redirect to it may be followed.
_ELSEWHERE = "http://127.0.0.1:1/elsewhere"
_WORDS = "upstream connect error"

FAULTS: dict[str, Fault | None] = {
    "connection refused": None,
    "connection reset": Fault.reset(),
    "hangs": Fault.hang(30),
    "drips, a byte a second": Fault.drip(0.002),
    "302 to elsewhere": Fault.redirect(_ELSEWHERE),
    "307 to elsewhere": Fault.redirect(_ELSEWHERE, 307),
    "401": Fault.status(401, _WORDS),
    "403": Fault.status(403, _WORDS),
    "404": Fault.status(404, _WORDS),
    "429": Fault.status(429, _WORDS),
    "500": Fault.status(500, _WORDS),
    "503": Fault.status(503, _WORDS),
    "200, empty": Fault.empty(),
    "200, a login page": Fault.html(),
    "403, a proxy's page": Fault.html(403),
    "503, a load balancer's page": Fault.html(503),
    "truncated": Fault.truncated(),
    "oversized": Fault.oversized(1 << 20),
    "another content type": Fault.content_type("application/json"),
    "another `Metadata-Flavor`": Fault.flavor("Amazon"),
    "no `Metadata-Flavor`": Fault.flavor(None),
}

_METADATA = {
    "connection refused": waited_for("token/none"),
    "connection reset": waited_for("token/none"),
    "hangs": Outcomes(
        failed("token/none", 4, 20.0), served(2, 5.1), failed("token/none", 4, 20.0), served(2, 5.1)
    ),
    "drips, a byte a second": Outcomes(
        failed("token/none", 4, 20.0), served(2, 5.1), failed("token/none", 4, 20.0), served(2, 5.1)
    ),
    "302 to elsewhere": refused("token/none"),
    "307 to elsewhere": refused("token/none"),
    "401": refused("token/metadata-refused"),
    "403": refused("token/metadata-refused"),
    "404": refused("token/no-service-account"),
    "429": waited_for("token/metadata-not-ready"),
    "500": waited_for("token/metadata-not-ready"),
    "503": waited_for("token/metadata-not-ready"),
    "200, empty": refused("token/malformed"),
    "200, a login page": refused("token/none"),
    "403, a proxy's page": refused("token/none"),
    "503, a load balancer's page": waited_for("token/none"),
    "truncated": waited_for("token/none"),
    "oversized": waited_for("token/none"),
    "another content type": harmless(),
    "another `Metadata-Flavor`": refused("token/none"),
    "no `Metadata-Flavor`": refused("token/none"),
}

_STS = {
    "connection refused": tried_again("exchange/unreachable"),
    "connection reset": tried_again("exchange/unreachable"),
    "hangs": Outcomes(
        failed("exchange/unreachable", 4, 41.7),
        served(2, 10.3),
        failed("exchange/unreachable", 1, 10.0),
        served(2, 11.5),
    ),
    "drips, a byte a second": Outcomes(
        failed("exchange/unreachable", 4, 81.7),
        served(2, 20.3),
        failed("exchange/unreachable", 1, 20.0),
        served(2, 21.5),
    ),
    "302 to elsewhere": refused("exchange/garbage"),
    "307 to elsewhere": refused("exchange/garbage"),
    "401": refused("exchange/garbage"),
    "403": refused("exchange/garbage"),
    "404": refused("exchange/garbage"),
    "429": tried_again("exchange/unavailable"),
    "500": tried_again("exchange/unavailable"),
    "503": tried_again("exchange/unavailable"),
    "200, empty": tried_again("exchange/garbage"),
    "200, a login page": tried_again("exchange/garbage"),
    "403, a proxy's page": refused("exchange/garbage"),
    "503, a load balancer's page": tried_again("exchange/unavailable"),
    "truncated": tried_again("exchange/garbage"),
    "oversized": tried_again("exchange/garbage"),
    "another content type": harmless(),
    "another `Metadata-Flavor`": harmless(),
    "no `Metadata-Flavor`": harmless(),
}

# Codes and their HTTP status: AWS STS API reference, "Errors" of AssumeRoleWithWebIdentity, and
# "Common errors"; throttling codes as in botocore's retry modes. The message is given where it
# decides.
_CODES = {
    ("AccessDenied", 403, ""): refused("exchange/denied"),
    ("ExpiredTokenException", 400, ""): tried_again("exchange/expired-token"),
    ("IDPCommunicationError", 400, ""): tried_again("exchange/unavailable"),
    ("IDPRejectedClaim", 403, ""): refused("exchange/refused"),
    ("InvalidIdentityToken", 400, ""): refused("exchange/invalid-token"),
    ("MalformedPolicyDocument", 400, ""): refused("exchange/policy"),
    ("PackedPolicyTooLarge", 400, ""): refused("exchange/policy"),
    ("RegionDisabledException", 403, ""): refused("exchange/region"),
    ("ValidationError", 400, "DurationSeconds exceeds"): refused("exchange/duration"),
    ("ValidationError", 400, ""): refused("exchange/refused"),
    ("IncompleteSignature", 403, ""): refused("exchange/refused"),
    ("InternalFailure", 500, ""): tried_again("exchange/unavailable"),
    ("InvalidClientTokenId", 403, ""): refused("exchange/refused"),
    ("OptInRequired", 403, ""): refused("exchange/refused"),
    ("PriorRequestNotComplete", 400, ""): tried_again("exchange/unavailable"),
    ("RequestExpired", 400, ""): refused("exchange/refused"),
    ("RequestLimitExceeded", 400, ""): tried_again("exchange/unavailable"),
    ("RequestThrottled", 400, ""): tried_again("exchange/unavailable"),
    ("RequestThrottledException", 400, ""): tried_again("exchange/unavailable"),
    ("RequestTimeout", 400, ""): tried_again("exchange/unavailable"),
    ("RequestTimeoutException", 408, ""): tried_again("exchange/unavailable"),
    ("ServiceUnavailable", 503, ""): tried_again("exchange/unavailable"),
    ("SignatureDoesNotMatch", 403, ""): refused("exchange/refused"),
    ("Throttling", 400, ""): tried_again("exchange/unavailable"),
    ("ThrottlingException", 400, ""): tried_again("exchange/unavailable"),
    ("TooManyRequestsException", 429, ""): tried_again("exchange/unavailable"),
    ("any other code", 400, ""): refused("exchange/refused"),
    ("any other code", 429, ""): tried_again("exchange/unavailable"),
    ("any other code", 500, ""): tried_again("exchange/unavailable"),
}


def _codes() -> Iterator[Row]:
    for (code, status, message), outcomes in _CODES.items():
        quoted = f', "{message}…"' if message else ""
        name = f"`{code}`" if " " not in code else code
        words = message or "a message of its own"
        fault = Fault.aws_error(code.replace(" ", ""), words, status)
        yield Row(Server.STS, f"{name} ({status}){quoted}", fault, outcomes)


METADATA_ROWS = [Row(Server.METADATA, name, FAULTS[name], _METADATA[name]) for name in FAULTS]
STS_ROWS = [Row(Server.STS, name, FAULTS[name], _STS[name]) for name in FAULTS]
CODE_ROWS = list(_codes())
ROWS = METADATA_ROWS + STS_ROWS + CODE_ROWS
CODES = {(code, status) for code, status, _ in _CODES}

# Requests of a process whose callers try ten times a second: in a minute with nothing valid, and in
# ten minutes while credentials are valid.
PERSISTENT = {
    (Server.METADATA, "connection refused"): (69, 184),
    (Server.METADATA, "403"): (7, 10),
    (Server.STS, "connection refused"): (10, 10),
    (Server.STS, "`AccessDenied` (403)"): (7, 10),
    (Server.STS, "`Throttling` (400)"): (10, 10),
}
