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
# Of a signed request, the signature: all else but the session token is public.
SIGNATURE = re.compile(r"%7B.*Signature%3D(\w+).*")


@pytest.fixture(params=RECORDERS, ids=lambda kind: kind.__name__.lower())
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A tracer that is running; the test fails if a secret is recorded by it."""
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
    """Return *secret* in parts, as a URL or a form has it too: tracers cut what is long."""
    forms = {secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")}
    return list(
        itertools.chain.from_iterable(
            (form[at : at + 40] for at in range(0, max(1, len(form) - 39), 20)) for form in forms
        )
    )


@pytest.fixture(autouse=True)
def aws_keys_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a workload on AWS signs with is secret, and so is what it gets its keys for."""
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
