"""The first token source that is available on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gcp_aws_bridge._cache.logger import log
from gcp_aws_bridge._tokens.metadata import MetadataRequests, looks_like_google
from gcp_aws_bridge.exceptions import TokenUnavailable


def first_token(candidates: Iterable[tuple[str, Callable[[], str]]]) -> str:
    """Return the ID token of the first available source.

    Args:
        candidates: Name and source.

    Raises:
        TokenUnavailable: No source is available; the message has the reason for each.
        TokenError: A source is broken, or its request was denied; later sources are not tried.
    """
    tried, file_fix = [], ""
    fix = (
        "run on Google Cloud with a service account, or pass token_source=: "
        'GoogleCredentials(impersonate="sa@project.iam.gserviceaccount.com") on a laptop.'
    )
    for name, source in candidates:
        try:
            token = source()
        except TokenUnavailable as error:  # noqa: PERF203 - at most three iterations
            tried.append(f"{name}: {error.args[0]} {error.details}".strip())
            # An existing file of a type that gives no ID token is probably the intended source.
            file_fix = file_fix or error.fix * (error.error_id == "token/google-kind")
            if isinstance(source, MetadataRequests) and looks_like_google(source._host):
                fix = error.fix
            log.debug("no ID token from %s: %s", name, error.args[0])
        else:
            log.debug("ID token from %s", name)
            return token
    raise TokenUnavailable(
        "No Google identity on this machine.",
        fix=file_fix or fix,
        error_id="token/none",
        details=f"Tried {' Tried '.join(tried)}",
    )
