"""Every setting is in the name of what it makes, since fsspec identifies by names."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import botocore.session
import pytest

from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._cache.identity import name_of
from gcp_aws_bridge._tokens.default import DefaultSource
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge._tokens.service_account import require_service_account
from gcp_aws_bridge._tokens.token_file import TokenFile
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google import Federation, OutboundToken, SignedRequest

ARN = "arn:aws:iam::123456789012:role/{}"
ROLE: dict[str, tuple[Any, Any]] = {
    "arn": (ARN.format("a"), ARN.format("b")),
    "audience": ("a", "b"),
    "role_session_name": ("aa", "bb"),
    "duration_seconds": (900, 1000),
    "region_name": ("eu-west-1", "eu-west-2"),
    "chain": ([ARN.format("a")], [ARN.format("b")]),
    "policy": ({"Version": "2012-10-17", "Statement": []}, None),
    "policy_arns": (["arn:aws:iam::aws:policy/A"], ["arn:aws:iam::aws:policy/B"]),
    "sts_regions": (["eu-west-1", "eu-west-2"], ["eu-west-2", "eu-west-1"]),
}
SESSION = botocore.session.Session()
HELD = object()
SOURCES: list[tuple[Callable[..., Any], dict[str, tuple[Any, Any]]]] = [
    (TokenFile, {"path": ("/a", "/b")}),
    (DefaultSource, {"audience": ("a", None)}),
    (
        MetadataServer,
        {"audience": ("a", "b"), "service_account": ("a@b.c", "default"), "deadline_s": (1, 2)},
    ),
    (
        GoogleCredentials,
        {
            "credentials": (HELD, object()),
            "key_file": ("/a", "/b"),
            "impersonate": ("a@b.c", "d@e.f"),
            "audience": ("a", "b"),
        },
    ),
    (SignedRequest, {"session": (SESSION, None)}),
    (OutboundToken, {"session": (SESSION, None), "audience": ("a", "b")}),
]


def made(**settings: Any) -> Adapter:
    role = Role(**{"arn": ARN.format("etl"), **settings})
    return Adapter(role)


@pytest.mark.parametrize("field", [one.name for one in fields(Role)])
def test_two_roles_have_two_names_and_two_sets_of_credentials(field: str) -> None:
    one, other, again = (made(**{field: ROLE[field][index]}) for index in (0, 1, 0))
    assert repr(one) != repr(other)
    assert one._cache is not other._cache
    assert (repr(one), one._cache) == (repr(again), again._cache)


@pytest.mark.parametrize(("kind", "settings"), SOURCES)
def test_two_sources_have_two_names(kind: Any, settings: dict[str, tuple[Any, Any]]) -> None:
    compared = {one.name for one in fields(kind) if one.compare and one.init}
    assert compared == {*settings}
    base = {"path": "/x"} if kind is TokenFile else {}
    for field, values in settings.items():
        one, other, again = (kind(**{**base, field: values[index]}) for index in (0, 1, 0))
        assert one != other
        assert repr(one) != repr(other)
        assert name_of(one) != name_of(other)
        assert (one, name_of(one)) == (again, name_of(again))
        assert repr(one) == repr(copy.copy(one))


def test_a_source_is_part_of_the_name() -> None:
    class Source:
        def __call__(self) -> str:
            return ""

        def __repr__(self) -> str:
            return "the secret"

    sources = [Source(), Source(), lambda: "x", lambda: "x", functools.partial(str, "secret"), None]
    sources += [TokenFile("/a"), TokenFile("/b"), Source().__call__, Source().__call__]
    found = {repr(Adapter(Role(ARN.format("etl")), token_source=each)) for each in sources}
    assert len(sources) == len(found)
    assert "secret" not in "".join(found)


def test_no_other_object_gets_the_name_of_one_that_is_gone() -> None:
    found = set()
    for _ in range(100):
        session = type("Session", (), {})()  # often at the address of the one before
        found.add(name_of(session))
        del session
    assert 100 == len(found)


def test_a_forked_child_gives_other_names_than_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    one = name_of(HELD)
    assert one == name_of(HELD)
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert one != name_of(HELD)


def test_a_function_is_named_by_where_it_is_only_if_it_is_found_there() -> None:
    assert "os.path" not in name_of(lambda: "")

    def local() -> str:
        return ""

    other = functools.wraps(made)(local)  # says that it is the other one
    assert f"{__name__}.made" == name_of(made)
    assert name_of(made) != name_of(other)


ACCOUNTS = [
    *("etl@my-project.iam.gserviceaccount.com", "1-compute@developer.gserviceaccount.com"),
    *("my-project@appspot.gserviceaccount.com", "service-1@gcp-sa-x.iam.gserviceaccount.com"),
    *("etl@my-project.example.com.iam.gserviceaccount.com", "123456789012345678901"),
]
NOT_ACCOUNTS = [
    *(
        "",
        "etl",
        "a@",
        "@b.c",
        "a@b@c.d",
        "a b@c.d",
        "a@b.c\n",
        "a@b.c ",
        "\ta@b.c",
        None,
        5,
        b"a@b.c",
    ),
    *("a%40b.c@d.e", "a@b.c%3AsignBlob", "a@b.c:signBlob", "a@b.c?x", "a@b.c#x", "a@b.c/../d"),
    *(
        "a/b@c.d",
        "../b@c.d",
        "a\\b@c.d",
        "a@b.c&x=y",
        "a@b.c;x",
        "a@b..c",
        "a@.c",
        "a@b.",
        ".a@b.c",
    ),
    *(
        "a%2Fb@c.d",
        "a%252Fb@c.d",
        "a@b.c\x00",
        "ä@b.c",
        "a@ä.c",
        "\u0430@b.c",
        "a\uff20b.c",
        "a@b\u3002c",
    ),
    *("\u0661" * 21, "1" * 20, "1" * 22, "a@b.c,d@e.f", "a+b@c.d", "'a'@b.c", "$(x)@b.c", "{}@b.c"),
    *("x" * 65 + "@b.c", "a@" + "x" * 64, "a@b.c\r\nX: y", "*@b.c", "a@[::1]", "-@b.c"),
]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_service_accounts_name_is_taken(account: str) -> None:
    require_service_account(account)
    path = Federation(PROVIDER, account).account_path
    assert f"/v1/projects/-/serviceAccounts/{account}" == path


PROVIDER = "projects/1/locations/global/workloadIdentityPools/p/providers/q"


@pytest.mark.parametrize("account", NOT_ACCOUNTS)
def test_anything_else_is_refused_before_it_is_in_a_url(account: Any) -> None:
    makers: list[Callable[[], Any]] = [lambda: require_service_account(account)]
    if account is not None:
        makers += [
            lambda: Federation(PROVIDER, account),
            lambda: GoogleCredentials(credentials=HELD, impersonate=account)(),
        ]
    for make in makers:
        with pytest.raises(ConfigError) as caught:
            make()
        assert "config/google-service-account" == caught.value.error_id
