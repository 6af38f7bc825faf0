from __future__ import annotations

import importlib.util
import itertools
import os
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from secrecy import watch
from tracers.recorders import RECORDERS, Recorder

from gcp_aws_bridge.google._aws_identity import AwsIdentity, forget_sessions

# `nox -s tracers` has all tracers.
if importlib.util.find_spec("ddtrace") is None:
    collect_ignore_glob = ["test_*.py"]
# The signature of a signed request: all other parts except the session token are public.
SIGNATURE = re.compile(r"%7B.*Signature%3D(\w+).*")


@pytest.fixture(params=RECORDERS, ids=lambda kind: kind.__name__.lower())
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Yield a running tracer; the test fails if the tracer records a secret."""
    made: Recorder = request.param()
    made.start(monkeypatch)
    try:
        yield made
    finally:
        made.stop()
    recorded = " ".join(span.text for span in made.spans)
    secrets = {SIGNATURE.sub(r"\1", secret) for secret in (*watch.keys, *watch.session_tokens)}
    assert secrets, "no exchange was made"
    assert made.spans, "nothing was traced"
    assert [] == [piece[:8] for secret in secrets for piece in pieces(secret) if piece in recorded]


def pieces(secret: str) -> list[str]:
    """Return *secret* in parts, also in URL and form encoding: tracers cut long texts."""
    forms = {secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")}
    return list(
        itertools.chain.from_iterable(
            (form[at : at + 40] for at in range(0, max(1, len(form) - 39), 20)) for form in forms
        )
    )


@pytest.fixture(autouse=True)
def aws_keys_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys that a workload on AWS signs with are secret, and so are the tokens for them."""
    frozen = AwsIdentity.frozen

    def seen(self: AwsIdentity) -> tuple[str, str, str | None]:
        _, secret, token = keys = frozen(self)
        watch.keys += [value for value in (secret, token) if value]
        for name in ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
            if path := os.environ.get(name):
                with open(path, encoding="utf-8") as file:
                    watch.keys.append(file.read().strip())
        return keys

    monkeypatch.setattr(AwsIdentity, "frozen", seen)


@pytest.fixture(autouse=True)
def aws_identity_is_found_again() -> Iterator[None]:
    forget_sessions()
    yield
    forget_sessions()
