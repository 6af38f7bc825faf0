"""Reading ID tokens: what is one, what is worth sending, and that none of it is ever shown."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fakes import START
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.servers import AUDIENCE, NUMBER, failure, id_token, segment

from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge._tokens.id_token import IdToken, check, parse
from gcp_aws_bridge.exceptions import TokenError

ORIGIN = "The source under test"
HEADER = segment({"alg": "RS256"})
SIGNATURE = segment(b"signature" * 28)
EXP = int(START.timestamp()) + 3600


def malformed(raw: object, *seen: str) -> TokenError:
    """The error of parsing *raw*, which must not show it."""
    text = raw if isinstance(raw, str) else ""
    error = failure(
        TokenError,
        "token/malformed",
        lambda: parse(raw, origin=ORIGIN),
        seen=[f"{ORIGIN} gave something that is not an ID token", *seen],
        secrets=[part for part in text.split(".") if len(part) > 8],
    )
    assert isinstance(error, TokenError)
    return error


# -- what is a token ---------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["{}", " {}", "{}\n", "\r\n{}\r\n"])
def test_claims_of_a_google_token(around: str) -> None:
    raw = id_token()
    assert IdToken(
        raw=raw,
        issuer="https://accounts.google.com",
        audience=(AUDIENCE,),
        subject=NUMBER,
        authorized_party=NUMBER,
        issued_at=START,
        expiration=START + timedelta(hours=1),
        email="etl@project.iam.gserviceaccount.com",
    ) == parse(around.format(raw), origin=ORIGIN)


def test_claims_of_a_kubernetes_token() -> None:
    """A projected volume's: a list of audiences, no azp, no e-mail, more claims than we know."""
    token = parse(
        id_token(
            iss="https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
            aud=["sts.amazonaws.com", "second"],
            azp=...,
            email=...,
            sub="system:serviceaccount:default:etl",
            **{"kubernetes.io": {"namespace": "default"}, "nbf": EXP - 3600},
        ),
        origin=ORIGIN,
    )
    assert ("sts.amazonaws.com", "second") == token.audience
    assert (None, None) == (token.authorized_party, token.email)
    assert "system:serviceaccount:default:etl" == token.subject


@pytest.mark.parametrize("length", range(4))
def test_parts_come_without_padding_whatever_their_length(length: int) -> None:
    claims = {"sub": "x" * (20 + length)}
    raw = id_token(**claims)
    assert "=" not in raw
    assert claims["sub"] == parse(raw, origin=ORIGIN).subject


def test_both_characters_that_base64url_has_and_base64_has_not() -> None:
    # json.dumps escapes what is not ASCII; raw UTF-8 gives the bytes that encode to - and _.
    claims = {"iss": "i", "sub": "~~ÿÿ>>>???", "aud": AUDIENCE, "exp": EXP}
    part = segment(json.dumps(claims, ensure_ascii=False).encode())
    assert "-" in part
    assert "_" in part
    assert claims["sub"] == parse(f"{HEADER}.{part}.{SIGNATURE}", origin=ORIGIN).subject


@pytest.mark.parametrize("exp", [EXP, float(EXP), EXP + 0.25])
def test_numeric_dates_may_have_a_fraction(exp: float) -> None:
    token = parse(id_token(exp=exp), origin=ORIGIN)
    assert datetime.fromtimestamp(exp, timezone.utc) == token.expiration
    assert token.expiration.utcoffset() == timedelta(0)


def test_a_token_may_leave_out_when_it_was_issued() -> None:
    assert parse(id_token(iat=...), origin=ORIGIN).issued_at is None


@pytest.mark.parametrize(("name", "attribute"), [("azp", "authorized_party"), ("email", "email")])
@pytest.mark.parametrize("value", [5, None, ["x"], {"x": 1}, True])
def test_a_claim_that_only_informs_is_dropped_when_it_is_no_text(
    name: str, attribute: str, value: object
) -> None:
    assert getattr(parse(id_token(**{name: value}), origin=ORIGIN), attribute) is None


def test_no_representation_shows_the_token() -> None:
    raw = id_token()
    token = parse(raw, origin=ORIGIN)
    assert f'<IdToken of "{NUMBER}" for "{AUDIENCE}">' == repr(token) == str(token) == f"{token}"
    assert token == pickle.loads(pickle.dumps(token))


# -- what is none ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (None, "NoneType"),
        (id_token().encode(), "bytes"),
        (5, "int"),
        ({"id_token": id_token()}, "dict"),
        ("", "empty"),
        (" \n", "empty"),
        ("<!DOCTYPE html><html>Sign in</html>", "HTML"),
        ("\n <?xml version='1.0'?><Error/>", "XML"),
        ("Not found", "1 of the three parts"),
        (HEADER, "1 of the three parts"),
        (f"{HEADER}.{SIGNATURE}", "2 of the three parts"),
        (f"{HEADER}.{SIGNATURE}.", "2 of the three parts"),
        (f"{HEADER}..{SIGNATURE}", "2 of the three parts"),
        ("..", "0 of the three parts"),
        (f"{id_token()}.{SIGNATURE}.{SIGNATURE}", "5 of the three parts"),  # JWE has five
        (f"{id_token()}\n{id_token()}", "5 of the three parts"),
        ("a.b.c", "does not decode"),
        (id_token()[:60], "of the three parts"),
        (id_token()[:200], "of the three parts"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_has_not_the_shape_of_a_token(raw: object, seen: str) -> None:
    malformed(raw, seen)


@pytest.mark.parametrize(("length", "taken"), [(20_000, True), (20_001, False), (10**6, False)])
def test_a_token_has_at_most_20000_characters(length: int, taken: bool) -> None:
    raw = id_token()
    raw += "s" * (length - len(raw))
    if taken:
        assert raw == parse(raw, origin=ORIGIN).raw
    else:
        malformed(raw, str(length), "20000")


CLAIMS = id_token().split(".")[1]
BOMB = b'{"a":' * 2_800


@pytest.mark.parametrize(
    "raw",
    [
        f"{HEADER}.{CLAIMS[:-7]}.{SIGNATURE}",
        f"{HEADER[:-3]}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.{CLAIMS[:40]} {CLAIMS[40:]}.{SIGNATURE}",
        f"{HEADER}.{CLAIMS[:40]}\n{CLAIMS[40:]}.{SIGNATURE}",
        f"{HEADER}.{CLAIMS[:40]}é{CLAIMS[40:]}.{SIGNATURE}",
        f"é{HEADER}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.====.{SIGNATURE}",
        f"{HEADER}.{CLAIMS[:1]}.{SIGNATURE}",
        f"{HEADER}.{segment(bytes(range(128, 256)))}.{SIGNATURE}",
        f"{HEADER}.{segment(b'not json')}.{SIGNATURE}",
        f"{HEADER}.{segment(b'')}x.{SIGNATURE}",
        f"{HEADER}.{segment([1, 2])}.{SIGNATURE}",
        f"{HEADER}.{segment('text')}.{SIGNATURE}",
        f"{HEADER}.{segment(None)}.{SIGNATURE}",
        f"{segment([])}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.{segment(b'[' * 14_000)}.{SIGNATURE}",
        f"{HEADER}.{segment(BOMB)}.{SIGNATURE}",
        f"{segment(b'[' * 14_000)}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.{segment(b'9' * 14_000)}.{SIGNATURE}",
    ],
    ids=range(19),
)
def test_a_part_that_does_not_decode(raw: str) -> None:
    malformed(raw, "does not decode to JSON")


@pytest.mark.parametrize(
    "signature", ["<html>", "not base64", "signé", "sig\nnature", "a+b/c", "="]
)
def test_a_signature_that_is_no_base64url(signature: str) -> None:
    malformed(f"{HEADER}.{CLAIMS}.{signature}")


@pytest.mark.parametrize("header", [{}, {"alg": None}, {"alg": 5}, {"typ": "JWT"}], ids=str)
def test_a_header_that_names_no_algorithm(header: object) -> None:
    malformed(f"{segment(header)}.{CLAIMS}.{SIGNATURE}", "names no signature algorithm")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("iss", "sub") for value in (..., None, "", 5, ["x"])),
        *(("aud", value) for value in (..., None, 5, {"x": 1}, [1], ["x", None])),
        *(("exp", value) for value in (..., None, "1", str(EXP), True, False, [EXP], {})),
        *(("iat", value) for value in (None, "1", True, [EXP])),
    ],
    ids=str,
)
def test_a_claim_that_is_missing_or_of_another_kind(name: str, value: object) -> None:
    malformed(id_token(**{name: value}), f"no usable {name} claim")


def with_number(name: str, number: str) -> str:
    """A token whose claim is this very text, which json.dumps would not write."""
    claims = json.loads(json.dumps({"iss": "i", "sub": "s", "aud": AUDIENCE, "exp": EXP, name: 0}))
    text = json.dumps(claims).replace(f'"{name}": 0', f'"{name}": {number}')
    return f"{HEADER}.{segment(text.encode())}.{SIGNATURE}"


ODD_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "1e30", "-1e30", "9" * 40, "9" * 5000]


@pytest.mark.parametrize("number", ODD_NUMBERS, ids=lambda number: number[:9])
@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_number_that_is_no_instant_is_refused(name: str, number: str) -> None:
    malformed(with_number(name, number))


@pytest.mark.parametrize("number", ODD_NUMBERS[:-1], ids=lambda number: number[:9])
@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_number_that_is_no_instant_names_its_claim(name: str, number: str) -> None:
    malformed(with_number(name, number), f"no usable {name} claim")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(max_examples=50, deadline=None)
@given(claims=st.fixed_dictionaries({}, optional=dict.fromkeys(("iss", "sub", "aud", "exp"), JSON)))
def test_whatever_the_claims_are_there_is_a_token_or_our_error(claims: dict[str, Any]) -> None:
    raw = id_token(**claims)
    try:
        token = parse(raw, origin=ORIGIN)
    except TokenError:
        malformed(raw)
    else:
        assert token.issuer
        assert token.subject
        assert isinstance(token.expiration, datetime)


@settings(max_examples=50, deadline=None)
@given(raw=st.text(alphabet="eyJ.=-_ A<\n\x00é", max_size=30) | st.binary(max_size=9))
def test_whatever_a_source_returns_there_is_a_token_or_our_error(raw: object) -> None:
    with pytest.raises(TokenError) as caught:
        parse(raw, origin=ORIGIN)
    assert "token/malformed" == caught.value.error_id


# -- what is worth sending ---------------------------------------------------------------------


def refused(
    error_id: str,
    *seen: str,
    now: datetime = START,
    server_now: datetime | None = None,
    audience: str = AUDIENCE,
    **claims: Any,
) -> TokenError:
    raw = id_token(**claims)
    token = parse(raw, origin=ORIGIN)
    error = failure(
        TokenError,
        error_id,
        lambda: check(token, audience=audience, now=now, origin=ORIGIN, server_now=server_now),
        seen=[ORIGIN, *seen],
        secrets=raw.split("."),
    )
    assert isinstance(error, TokenError)
    return error


def accepted(now: datetime = START, server_now: datetime | None = None, **claims: Any) -> None:
    token = parse(id_token(**claims), origin=ORIGIN)
    got = check(token, audience=AUDIENCE, now=now, origin=ORIGIN, server_now=server_now)
    assert got is None


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]], ids=str)
def test_the_audience_asked_for_is_among_the_tokens(audience: object) -> None:
    accepted(aud=audience)


@pytest.mark.parametrize(
    ("audience", "shown"),
    [
        ("other", '"other"'),
        (["one", "two"], '"one", "two"'),
        ([], "none"),
        ("", '""'),
        (AUDIENCE.upper(), '"STS.AMAZONAWS.COM"'),
        (f"{AUDIENCE} ", f'"{AUDIENCE} "'),
        (f"https://{AUDIENCE}", f'"https://{AUDIENCE}"'),
    ],
    ids=str,
)
def test_another_audience_is_named_beside_the_one_asked_for(audience: object, shown: str) -> None:
    refused("token/audience", f"audience {shown}", f'"{AUDIENCE}" was asked for', aud=audience)


def test_an_audience_that_is_part_of_the_tokens_is_another() -> None:
    refused("token/audience", '"sts"', f'"{AUDIENCE}"', audience="sts")


@pytest.mark.parametrize("foreign", ["line\nfeed", "escape\x1b[2J", id_token(), "x" * 9000])
def test_a_foreign_audience_is_quoted(foreign: str) -> None:
    error = refused("token/audience", aud=foreign)
    assert foreign not in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 1000


@pytest.mark.parametrize("left_s", [1, 60, 3600])
def test_a_token_lives_until_its_end(left_s: int) -> None:
    accepted(exp=START.timestamp() + left_s)


@pytest.mark.parametrize("ago_s", [0, 1, 86_400])
def test_an_expired_token_says_when_and_what_time_it_is(ago_s: int) -> None:
    end = START - timedelta(seconds=ago_s)
    refused(
        "token/expired",
        f"expired at {end:%Y-%m-%d %H:%M:%S} UTC",
        "it is 2026-01-01 12:00:00 UTC",
        iat=EXP - 200_000,
        exp=end.timestamp(),
    )


@pytest.mark.parametrize("ahead_s", [0, 1, 300])
def test_a_clock_up_to_five_minutes_behind_google_is_no_matter(ahead_s: int) -> None:
    accepted(iat=START.timestamp() + ahead_s)


@pytest.mark.parametrize(("ahead_s", "minutes"), [(301, 5), (900, 15), (86_400, 1440)])
def test_a_token_from_the_future_blames_the_clock(ahead_s: int, minutes: int) -> None:
    refused(
        "token/clock",
        f"clock (12:00:00 UTC) puts {minutes} minutes into the future",
        iat=START.timestamp() + ahead_s,
        exp=START.timestamp() + ahead_s + 3600,
    )


@pytest.mark.parametrize("off_s", [-300, -1, 0, 1, 300])
def test_a_server_up_to_five_minutes_off_is_no_matter(off_s: int) -> None:
    accepted(server_now=START + timedelta(seconds=off_s))


@pytest.mark.parametrize(
    ("off_s", "seen"),
    [(-301, "5 minutes ahead"), (301, "5 minutes behind"), (-7200, "120 minutes ahead")],
)
def test_a_server_further_off_blames_the_clock_whatever_the_token(off_s: int, seen: str) -> None:
    server_now = START + timedelta(seconds=off_s)
    for claims in ({}, {"exp": EXP - 9000, "iat": EXP - 9999}, {"iat": EXP, "exp": EXP + 9000}):
        error = refused("token/clock", "12:00:00 UTC", seen, server_now=server_now, **claims)
        assert "NTP" in error.fix


def test_a_clock_that_is_off_is_said_in_a_sentence() -> None:
    error = refused("token/clock", "10 minutes ahead", server_now=START - timedelta(minutes=10))
    assert "a token that this machine's clock (12:00:00 UTC) is" not in error.args[0]


def test_the_audience_is_looked_at_first() -> None:
    """A foreign token may be old; what is wrong with it is that it is foreign."""
    refused("token/audience", '"other"', aud="other", exp=EXP - 9000, iat=EXP * 2)


def test_issuers_of_google_are_both_that_its_documents_name() -> None:
    assert {"https://accounts.google.com", "accounts.google.com"} == _id_token.GOOGLE_ISSUERS
